use serde::{Deserialize, Deserializer, de};

/// What may encode the picture, the preferred one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoders(Vec<Encoder>);

/// One way to an encoded picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoder {
    /// The camera itself; its H.264 is passed on.
    Passthrough,
    /// An encoder in hardware, behind the kernel's V4L2 (memory to memory).
    M2m,
    /// OpenH264 and libvpx.
    Software,
}

impl Encoders {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Encoder> {
        self.0.iter().copied()
    }

    /// Which place `encoder` has; `None` where it must not be used.
    pub fn place(&self, encoder: Encoder) -> Option<usize> {
        self.0.iter().position(|known| *known == encoder)
    }
}

impl Default for Encoders {
    fn default() -> Self {
        Self(vec![Encoder::Passthrough, Encoder::M2m, Encoder::Software])
    }
}

impl<'de> Deserialize<'de> for Encoders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut encoders = Vec::new();
        for name in Vec::<String>::deserialize(deserializer)? {
            let encoder = match name.as_str() {
                "passthrough" => Encoder::Passthrough,
                "m2m" => Encoder::M2m,
                "software" => Encoder::Software,
                other => {
                    return Err(de::Error::custom(format!(
                        "`{other}` is no encoder; there are \"passthrough\", \"m2m\" and \"software\""
                    )));
                }
            };
            if encoders.contains(&encoder) {
                return Err(de::Error::custom(format!(
                    "\"{name}\" stands in `encoders` twice"
                )));
            }
            encoders.push(encoder);
        }
        if encoders.is_empty() {
            return Err(de::Error::custom(
                "`encoders` is empty; the usual is [\"passthrough\", \"m2m\", \"software\"]",
            ));
        }
        Ok(Self(encoders))
    }
}
