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

impl<'de> Deserialize<'de> for Encoder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "passthrough" => Ok(Encoder::Passthrough),
            "m2m" => Ok(Encoder::M2m),
            "software" => Ok(Encoder::Software),
            other => Err(de::Error::custom(format!(
                "`{other}` is no encoder; there are \"passthrough\", \"m2m\" and \"software\""
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for Encoders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let encoders = Vec::<Encoder>::deserialize(deserializer)?;
        if encoders.is_empty() {
            return Err(de::Error::custom(
                "`encoders` is empty; the usual is [\"passthrough\", \"m2m\", \"software\"]",
            ));
        }
        let is_twice = |place: usize| encoders[..place].contains(&encoders[place]);
        if let Some(place) = (0..encoders.len()).find(|place| is_twice(*place)) {
            let name = match encoders[place] {
                Encoder::Passthrough => "passthrough",
                Encoder::M2m => "m2m",
                Encoder::Software => "software",
            };
            return Err(de::Error::custom(format!(
                "\"{name}\" stands in `encoders` twice"
            )));
        }
        Ok(Self(encoders))
    }
}
