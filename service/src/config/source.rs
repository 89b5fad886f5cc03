//! A file's tree as serde reads it, without what can't be used.
#![allow(clippy::result_large_err, reason = "a file is read once, and has few faults")]

use std::{
    collections::{BTreeMap, HashSet},
    ptr,
};

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, MapAccess, SeqAccess, Visitor,
        value::{StrDeserializer, UnitDeserializer},
    },
    forward_to_deserialize_any,
};
use toml::{
    Spanned,
    de::{DeArray, DeInteger, DeTable, DeValue},
};

use super::fault::{Fault, Node, Wanted, What, as_list, choice, clipped};

/// The table that the file itself is: no value has this place.
pub(super) const ROOT: Node = 0;

/// How often something else is made up in place of a key that is missing.
const MOST_ATTEMPTS: u8 = 3;

/// What was done to a file so that it can be read in spite of its mistakes.
#[derive(Debug, Default)]
pub(super) struct Repairs {
    /// These values are passed over, with their keys.
    left_out: HashSet<Node>,
    /// The keys of those of them that have one, and were not read.
    left_keys: HashSet<(Node, String)>,
    /// Around one of them.
    around: HashSet<Node>,
    /// These keys are missing, and something is made up for them: how often that did not do.
    made_up: BTreeMap<(Node, &'static str), u8>,
}

impl Repairs {
    /// Sees to it that the next reading does not meet this fault again. Whether the person is to be told of it: what only follows from
    /// another fault is none. `None` where nothing can be done.
    pub(super) fn mend(&mut self, fault: &Fault) -> Option<bool> {
        if let What::MadeUp(table, key) = fault.what {
            let attempts = self.made_up.entry((table, key)).or_default();
            *attempts += 1;
            // As it is, nothing can be made of that table.
            let is_hopeless = *attempts >= MOST_ATTEMPTS;
            return (!is_hopeless || self.left_out.insert(table)).then_some(false);
        }
        let node = fault.leave?;
        if let What::Missing(key) = fault.what {
            self.around.extend(&fault.around);
            let is_new = self.made_up.insert((node, key), 0).is_none();
            let was_given = self.left_keys.contains(&(node, key.to_owned()));
            return is_new.then_some(!was_given);
        }
        let follows = self.around.contains(&node) && matches!(fault.what, What::Words(_));
        if !matches!(fault.what, What::Unknown { .. }) {
            self.around.extend(&fault.around);
            self.left_keys.extend(fault.of_table.clone());
        }
        self.left_out.insert(node).then_some(!follows)
    }

    /// Whether something within this value, or the value itself, is not as the file says.
    pub(super) fn touch(&self, node: Node) -> bool {
        self.around.contains(&node) || self.left_out.contains(&node)
    }

    /// Whether that key of a table is missing, and needed.
    pub(super) fn lacks(&self, table: Node, key: &str) -> bool {
        self.made_up
            .keys()
            .any(|(of, lacking)| *of == table && *lacking == key)
    }

    /// Whether it is not read.
    pub(super) fn leaves(&self, node: Node) -> bool {
        self.left_out.contains(&node)
    }
}

/// The place of a value.
pub(super) fn node_of(value: &Spanned<DeValue<'_>>) -> Node {
    ptr::from_ref(value).addr()
}

/// The file.
pub(super) struct File<'t> {
    pub(super) table: &'t DeTable<'t>,
    pub(super) repairs: &'t Repairs,
}

impl<'de> Deserializer<'de> for File<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(Keys::of(self.table, ROOT, self.repairs))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// One value of it.
#[derive(Clone, Copy)]
struct Value<'t> {
    value: &'t Spanned<DeValue<'t>>,
    /// It begins with its key: it has neither a header of its own nor a `=`.
    is_implied: bool,
    repairs: &'t Repairs,
}

impl<'t> Value<'t> {
    fn other(&self, wanted: Wanted) -> Fault {
        Fault::other(self.value.get_ref(), wanted)
    }

    /// A whole number from `least` to `most`.
    fn integer(&self, least: i128, most: i128) -> Result<i64, Fault> {
        let wanted = || match (i64::try_from(least), i64::try_from(most)) {
            (Ok(0), Ok(i64::MAX)) => "a whole number, 0 or more".to_owned(),
            (Ok(i64::MIN), _) => "a whole number".to_owned(),
            _ => format!("a whole number from {least} to {most}"),
        };
        let number = match self.value.get_ref() {
            DeValue::Integer(written) => whole(written),
            DeValue::String(text) if text.trim().parse::<i64>().is_ok() => {
                let words = format!("{}, without quotes", wanted());
                return Err(self.other(Wanted::Words(words)));
            }
            _ => None,
        };
        number
            .filter(|number| (least..=most).contains(&i128::from(*number)))
            .ok_or_else(|| self.other(Wanted::Words(wanted())))
    }

    fn list(&self) -> Result<&'t DeArray<'t>, Fault> {
        match self.value.get_ref() {
            DeValue::Array(list) => Ok(list),
            DeValue::Table(table) => {
                let within = self.header_within(table);
                Err(self.other(Wanted::Sections { within }))
            }
            DeValue::String(text) => Err(self.other(Wanted::List(as_list(text)))),
            _ => Err(self.other(Wanted::List(None))),
        }
    }

    /// Which section within it there is, if it has no header of its own: `controls` where `[camera.controls]` is all that the file says of
    /// `camera`.
    fn header_within(&self, table: &DeTable<'_>) -> Option<String> {
        // A section begins in front of its name, with the bracket.
        let is_headed = |key: &Spanned<_>, value: &Spanned<DeValue<'_>>| {
            value.get_ref().is_table() && value.span().start < key.span().start
        };
        let mut inner = table.iter().filter(|(key, value)| is_headed(key, value));
        let (key, _) = inner.next().filter(|_| self.is_implied)?;
        Some(clipped(key.get_ref()))
    }

    fn section(&self) -> Result<Keys<'t>, Fault> {
        match self.value.get_ref() {
            DeValue::Table(table) => Ok(Keys::of(table, node_of(self.value), self.repairs)),
            DeValue::Array(list) if list.iter().any(|one| one.get_ref().is_table()) => {
                Err(self.other(Wanted::OneSection))
            }
            _ => Err(self.other(Wanted::Section)),
        }
    }

    fn text(&self, wanted: impl FnOnce() -> String) -> Result<&'t str, Fault> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.other(Wanted::Words(wanted()))),
        }
    }

    /// What to write where text belongs.
    fn in_quotes(&self) -> String {
        match self.value.get_ref() {
            DeValue::Integer(number) => format!("text in quotes, \"{}\"", clipped(&number.to_string())),
            DeValue::Float(number) => format!("text in quotes, \"{}\"", clipped(number.as_str())),
            DeValue::Boolean(is) => format!("text in quotes, \"{is}\""),
            _ => "text in quotes".to_owned(),
        }
    }
}

fn whole(written: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(written.as_str(), written.radix()).ok()
}

macro_rules! integers {
    ($($method:ident $kind:ty,)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
                // TOML has no larger ones.
                let most = i128::from(<$kind>::MAX).min(i128::from(i64::MAX));
                visitor.visit_i64(self.integer(i128::from(<$kind>::MIN), most)?)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.get_ref() {
            DeValue::String(text) => visitor.visit_str(text),
            DeValue::Integer(_) => visitor.visit_i64(self.integer(i64::MIN.into(), i64::MAX.into())?),
            DeValue::Float(_) => self.deserialize_f64(visitor),
            DeValue::Boolean(is) => visitor.visit_bool(*is),
            DeValue::Datetime(_) => {
                let found = serde::de::Unexpected::Other("a date or time without quotes");
                Err(serde::de::Error::invalid_type(found, &visitor))
            }
            DeValue::Array(_) => self.deserialize_seq(visitor),
            DeValue::Table(_) => self.deserialize_map(visitor),
        }
    }

    integers! {
        deserialize_i8 i8,
        deserialize_i16 i16,
        deserialize_i32 i32,
        deserialize_i64 i64,
        deserialize_i128 i64,
        deserialize_u8 u8,
        deserialize_u16 u16,
        deserialize_u32 u32,
        deserialize_u64 u64,
        deserialize_u128 u64,
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.get_ref() {
            DeValue::Boolean(is) => visitor.visit_bool(*is),
            _ => Err(self.other(Wanted::Words("true or false, without quotes".to_owned()))),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = match self.value.get_ref() {
            DeValue::Integer(written) => whole(written).map(|number| number as f64),
            DeValue::Float(written) => written.as_str().parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => visitor.visit_f64(number),
            None => Err(self.other(Wanted::Words("a number, without quotes".to_owned()))),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.text(|| self.in_quotes())?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let elements = self.list()?.iter();
        visitor.visit_seq(Elements {
            elements,
            repairs: self.repairs,
        })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(self.section()?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let word = self.text(|| choice(known))?;
        visitor.visit_enum(StrDeserializer::<Fault>::new(word))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf unit unit_struct tuple tuple_struct identifier }
}

/// What stands in a list.
struct Elements<'t> {
    elements: std::slice::Iter<'t, Spanned<DeValue<'t>>>,
    repairs: &'t Repairs,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let repairs = self.repairs;
        let Some(value) = self.elements.find(|value| !repairs.leaves(node_of(value))) else {
            return Ok(None);
        };
        let read = seed.deserialize(Value {
            value,
            is_implied: false,
            repairs,
        });
        let read = read.map_err(|fault| fault.within(node_of(value), value.span().start).in_list());
        read.map(Some)
    }
}

/// What stands in a table.
struct Keys<'t> {
    table: Node,
    entries: std::vec::IntoIter<Entry<'t>>,
    /// That whose key was read.
    current: Option<Entry<'t>>,
    repairs: &'t Repairs,
}

enum Entry<'t> {
    Given {
        key: &'t str,
        offset: usize,
        value: &'t Spanned<DeValue<'t>>,
    },
    MadeUp {
        key: &'static str,
        attempt: u8,
    },
}

impl<'t> Keys<'t> {
    fn of(table: &'t DeTable<'t>, node: Node, repairs: &'t Repairs) -> Self {
        let given = table.iter().filter(|(_, value)| !repairs.leaves(node_of(value)));
        let given = given.map(|(key, value)| Entry::Given {
            key: key.get_ref(),
            offset: key.span().start,
            value,
        });
        let made_up = repairs.made_up.iter().filter(|((of, _), _)| *of == node);
        let made_up = made_up.map(|(&(_, key), &attempt)| Entry::MadeUp { key, attempt });
        let mut entries: Vec<_> = given.chain(made_up).collect();
        // The tree has them by name; what is met first is told first.
        entries.sort_by_key(|entry| match entry {
            Entry::Given { offset, .. } => *offset,
            Entry::MadeUp { .. } => usize::MAX,
        });
        Self {
            table: node,
            entries: entries.into_iter(),
            current: None,
            repairs,
        }
    }
}

impl<'de> MapAccess<'de> for Keys<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.current = self.entries.next();
        match &self.current {
            None => Ok(None),
            Some(Entry::Given { key, offset, value }) => {
                let read = seed.deserialize(StrDeserializer::new(key)).map(Some);
                read.map_err(|fault: Fault| fault.within(node_of(value), *offset))
            }
            Some(Entry::MadeUp { key, .. }) => seed.deserialize(StrDeserializer::new(key)).map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        match self.current.take() {
            Some(Entry::Given { key, offset, value }) => {
                let read = seed.deserialize(Value {
                    value,
                    is_implied: value.span().start == offset,
                    repairs: self.repairs,
                });
                // What is not there has no place; its key has one.
                let place = value.span().start.max(offset);
                let within = |fault: Fault| fault.within(node_of(value), place);
                read.map_err(|fault| within(fault).under(self.table, key))
            }
            Some(Entry::MadeUp { key, attempt }) => {
                let read = seed.deserialize(MadeUp { attempt });
                read.map_err(|_| Fault::new(What::MadeUp(self.table, key)))
            }
            // Nobody asks for a value without its key.
            None => seed.deserialize(UnitDeserializer::new()),
        }
    }
}

/// Something in place of a value that is missing, so that the rest can be read: what comes of it is thrown away.
struct MadeUp {
    attempt: u8,
}

impl<'de> Deserializer<'de> for MadeUp {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.attempt {
            0 => visitor.visit_i64(1),
            1 => visitor.visit_str("x"),
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str("x")
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str("x")
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let one = serde::de::value::SeqDeserializer::new(["x"].into_iter());
        visitor.visit_seq(one)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf option unit unit_struct
        newtype_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}
