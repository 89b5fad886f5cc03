//! The paths that a source writes: what it imports, and what it names in full.

use std::collections::{BTreeMap, BTreeSet};

/// A path, a word for each of its parts; `*` stands for all that a module has.
pub(super) type Words = Vec<String>;

/// What a source says of others, outside of comments, as its file's own module would write it: what stands in a module within the file
/// is turned accordingly. A string that is nothing but a path counts, since serde takes functions so.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Source {
    /// Every path: those of `use` items, their braces spread out, and those written in full elsewhere.
    pub(super) paths: BTreeSet<Words>,
    /// What `use` items of the module itself bind, under which names: its children find it there.
    pub(super) bound: BTreeMap<String, Words>,
    /// The modules and enums that it binds all of.
    pub(super) globs: Vec<Words>,
    /// What the module itself defines.
    pub(super) defined: BTreeSet<String>,
    /// The methods that are called, and the fields that are looked at.
    pub(super) members: BTreeSet<String>,
}

/// What is behind it is defined.
const DEFINING: &[&str] = &[
    "struct",
    "enum",
    "union",
    "trait",
    "type",
    "fn",
    "const",
    "static",
    "mod",
    "macro_rules",
];

impl Source {
    pub(super) fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let (mut found, mut at) = (Self::default(), 0);
        // The modules that are open, and how deep each begins.
        let (mut inside, mut depth) = (Vec::<(String, usize)>::new(), 0);
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => {
                    depth -= 1;
                    inside.pop_if(|(_, start)| *start == depth);
                }
                // Two are a range.
                Token::Sign('.') if is_sign(&tokens, at, '.') => at += 1,
                Token::Sign('.') => {
                    if let Some(Token::Word(name)) = tokens.get(at) {
                        found.members.insert(name.clone());
                    }
                }
                Token::Word(word) if word == "pub" && is_sign(&tokens, at, '(') => {
                    // Who may see a thing is no import of that place.
                    at += tokens[at..]
                        .iter()
                        .take_while(|token| **token != Token::Sign(')'))
                        .count();
                }
                // `use<'a>` says what a type borrows.
                Token::Word(word) if word == "use" && !is_sign(&tokens, at, '<') => {
                    let mut tree = Tree {
                        tokens: &tokens,
                        at,
                        leaves: Vec::new(),
                    };
                    tree.spread(&[]);
                    at = tree.at;
                    for (path, name) in tree.leaves {
                        let path = seen_from_file(&path, &inside);
                        if depth == 0 && name == "*" {
                            found.globs.push(path[..path.len() - 1].to_vec());
                        } else if depth == 0 {
                            found.bound.insert(name, path.clone());
                        }
                        found.paths.insert(path);
                    }
                }
                Token::Word(word) => {
                    if DEFINING.contains(&word.as_str())
                        && let Some(name) = defined(&tokens[at..])
                    {
                        let is_module = word == "mod" && is_sign(&tokens, at + 1, '{');
                        // A module in a file of its own is that file's.
                        if depth == 0 && (word != "mod" || is_module) {
                            found.defined.insert(name.clone());
                        }
                        if is_module {
                            inside.push((name, depth));
                        }
                    }
                    let path = path(&tokens, at - 1);
                    if path.len() > 1 {
                        at += 2 * (path.len() - 1);
                        found.paths.insert(seen_from_file(&path, &inside));
                    }
                }
                Token::Sign(_) | Token::Colons => {}
            }
        }
        found
    }
}

/// What the tokens behind a word of [`DEFINING`] name.
fn defined(tokens: &[Token]) -> Option<String> {
    let mut words = tokens
        .iter()
        .filter(|token| **token != Token::Sign('!'))
        .map_while(|token| match token {
            Token::Word(word) => Some(word),
            _ => None,
        });
    words.find(|word| *word != "mut").cloned()
}

/// The path that begins with the word there; of one part where it is no path, or goes on one.
fn path(tokens: &[Token], start: usize) -> Words {
    let word = |at: usize| match tokens.get(at) {
        Some(Token::Word(word)) => Some(word.clone()),
        _ => None,
    };
    let before = |back: usize| start.checked_sub(back).and_then(|at| tokens.get(at));
    let goes_on = match before(1) {
        Some(Token::Sign('.')) => before(2) != Some(&Token::Sign('.')),
        // `::a` is a crate, but `a::b` and `<a>::b` are not.
        Some(Token::Colons) => matches!(before(2), Some(Token::Word(_) | Token::Sign('>'))),
        _ => false,
    };
    let first = word(start).into_iter().filter(|_| !goes_on);
    let others = (start + 1..).step_by(2).map_while(|at| {
        let word = word(at + 1);
        word.filter(|_| tokens.get(at) == Some(&Token::Colons))
    });
    first.chain(others.take_while(|_| !goes_on)).collect()
}

fn is_sign(tokens: &[Token], at: usize, sign: char) -> bool {
    tokens.get(at) == Some(&Token::Sign(sign))
}

/// A path in `inside` as it would be written in the file's own module.
fn seen_from_file(path: &[String], inside: &[(String, usize)]) -> Words {
    let is_own = path.first().is_some_and(|first| first == "self");
    let path = &path[usize::from(is_own)..];
    let ups = path.iter().take_while(|part| *part == "super").count();
    if !is_own && ups == 0 {
        return path.to_vec();
    }
    let start: Vec<&str> = match ups.checked_sub(inside.len()) {
        None => {
            let left = inside[..inside.len() - ups].iter();
            ["self"]
                .into_iter()
                .chain(left.map(|(name, _)| name.as_str()))
                .collect()
        }
        Some(0) => vec!["self"],
        Some(ups) => vec!["super"; ups],
    };
    start
        .into_iter()
        .map(str::to_owned)
        .chain(path[ups..].iter().cloned())
        .collect()
}

/// The tree of a `use` item.
struct Tree<'a> {
    tokens: &'a [Token],
    at: usize,
    /// Each path, and the name that it is bound to.
    leaves: Vec<(Words, String)>,
}

impl Tree<'_> {
    /// `a::{b, c::{d as e}}` as `a::b` and `a::c::d`.
    fn spread(&mut self, before: &[String]) {
        let mut path = before.to_vec();
        let mut alias = None;
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::Word(word) if word == "as" => {
                    self.at += 1;
                    if let Some(Token::Word(name)) = self.tokens.get(self.at) {
                        alias = Some(name.clone());
                    }
                }
                Token::Word(word) => path.push(word.clone()),
                Token::Sign('*') => path.push("*".to_owned()),
                Token::Sign('{') => {
                    while !is_sign(self.tokens, self.at, '}') && self.at < self.tokens.len() {
                        self.at += 1;
                        self.spread(&path);
                    }
                    self.at += 1;
                    return;
                }
                Token::Colons => {}
                Token::Sign(_) => break,
            }
            self.at += 1;
        }
        if path.len() == before.len() {
            // Nothing stands between a comma and a brace.
            return;
        }
        // `a::{self}` is `a`.
        path.pop_if(|last| last == "self" && !before.is_empty());
        let name = alias.or_else(|| path.last().cloned()).unwrap_or_default();
        self.leaves.push((path, name));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// `::`
    Colons,
    Sign(char),
}

/// A source without its comments, and of its strings only those that are paths.
fn tokens(text: &str) -> Vec<Token> {
    let (mut tokens, mut rest) = (Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if rest.starts_with("/*") {
            rest = behind_comment(rest);
        } else if let Some((inner, behind)) = string(rest) {
            if inner.contains("::") && inner.split("::").all(is_word) {
                tokens.extend(self::tokens(inner));
            }
            tokens.push(Token::Sign('"'));
            rest = behind;
        } else if let Some(behind) = character(rest) {
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix("::") {
            tokens.push(Token::Colons);
            rest = behind;
        } else if c.is_alphanumeric() || c == '_' {
            rest = rest.strip_prefix("r#").unwrap_or(rest);
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
            // `0.5` has no member.
            tokens.push(if is_word(word) {
                Token::Word(word.to_owned())
            } else {
                Token::Sign('0')
            });
            rest = behind;
        } else {
            if !c.is_whitespace() {
                tokens.push(Token::Sign(c));
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    tokens
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// What comes after the comment, which may have others in it.
fn behind_comment(text: &str) -> &str {
    let (mut depth, mut at) = (0, 0);
    loop {
        let rest = &text[at..];
        match rest {
            _ if rest.starts_with("/*") => (depth, at) = (depth + 1, at + 2),
            _ if rest.starts_with("*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += rest.chars().next().map_or(0, char::len_utf8),
        }
        if depth == 0 || at >= text.len() {
            return &text[at..];
        }
    }
}

/// The string that the text begins with, and what is behind it.
fn string(text: &str) -> Option<(&str, &str)> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let rest = text.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    })?;
    let rest = &text[prefix.len()..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    if prefix.ends_with('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(rest[hashes + 1..].split_once(end.as_str()).unwrap_or((rest, "")));
    }
    if hashes > 0 {
        return None;
    }
    let mut is_escaped = false;
    let end = rest[1..].find(|c: char| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })?;
    Some((&rest[1..=end], &rest[end + 2..]))
}

/// What is behind the character that the text begins with: `'{'`, and no `'lifetime`.
fn character(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("b'").or_else(|| text.strip_prefix('\''))?;
    let first = inner.chars().next()?;
    let rest = &inner[first.len_utf8()..];
    if first == '\\' {
        // What is escaped may be the quote.
        let escaped = rest.chars().next()?.len_utf8();
        return Some(rest[escaped..].split_once('\'')?.1);
    }
    rest.strip_prefix('\'')
}

mod quick {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        Source::read(text)
            .paths
            .iter()
            .map(|path| path.join("::"))
            .collect()
    }

    #[test]
    fn a_path_is_found_in_every_spelling() {
        for (text, expected) in [
            ("use a::b;", &["a::b"][..]),
            (
                "pub(crate) use a::{b, c::{d as e, self}, f::*,};",
                &["a::b", "a::c", "a::c::d", "a::f::*"],
            ),
            ("use {a::b, c};", &["a::b", "c"]),
            ("use ::a::b; fn f() { ::c::d() }", &["a::b", "c::d"]),
            ("fn f() { a::b::<c::D>(0..e::F) }", &["a::b", "c::D", "e::F"]),
            (
                "fn f(x: &<a::B as c::D>::E) -> g::H<'_> {}",
                &["a::B", "c::D", "g::H"],
            ),
            ("#[serde(with = \"a::b\")] struct S;", &["a::b"]),
            ("use r#a::b;", &["a::b"]),
        ] {
            assert_eq!(paths(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_none() {
        for text in [
            "// use a::b;",
            "/* use a::b; /* a::c */ a::d */",
            "let a = \"use a::b;\";",
            "let a = r#\"a \" use a::b\"#;",
            "let a = b\"\\\" a::b \\\\\";",
            "let a = b.c::<u8>();",
            "pub(in a::b) fn f() {}",
        ] {
            assert_eq!(paths(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn strings_characters_and_borrows_swallow_nothing_that_follows_them() {
        for text in [
            "f(\"http://x\", a::b());",
            "f(\"use\", a::b());",
            "f(\"what is of no use here\"); a::b();",
            "f('\"', a::b(), '\"');",
            "f(b'\\'', a::b());",
            "f('{'); a::b();",
            "fn f<'a>() -> impl T<'a> + use<'a> { a::b() }",
            "fn f() -> impl T + use<> { a::b() }",
            "f(r\"\\\", a::b());",
            "f(\"\\\\\", a::b());",
            "f(/* \" */ a::b());",
        ] {
            assert_eq!(paths(text), ["a::b"], "{text}");
        }
    }

    #[test]
    fn a_path_in_a_module_of_the_file_is_seen_from_the_file() {
        for (text, expected) in [
            ("use self::super::b;", "super::b"),
            ("mod m { use super::super::b::C; }", "super::b::C"),
            (
                "mod m { fn f() { super::super::super::b::c() } }",
                "super::super::b::c",
            ),
            ("mod m { use super::b; }", "self::b"),
            ("mod m { use self::b; }", "self::m::b"),
            ("mod m { mod n { use super::b; } }", "self::m::b"),
            ("mod m { f('{') } use super::b;", "super::b"),
            ("mod m { use a::b; }", "a::b"),
        ] {
            assert_eq!(paths(text), [expected], "{text}");
        }
    }

    #[test]
    fn only_what_the_module_itself_imports_is_bound_and_only_what_it_has_is_defined() {
        let text = "
            mod file;
            use a::{B, C as D, e::*};
            pub const F: G = a::H;
            static mut I: u8 = 0;
            enum J { K(a::L) }
            impl J { fn m() { use a::N; } }
            macro_rules! o { () => {} }
            mod p { use a::Q; struct R; }
        ";
        let Source {
            bound,
            globs,
            defined,
            ..
        } = Source::read(text);
        assert_eq!(bound.keys().collect::<Vec<_>>(), ["B", "D"]);
        assert_eq!(bound["D"], ["a", "C"]);
        assert_eq!(globs, [["a", "e"]]);
        assert_eq!(defined.iter().collect::<Vec<_>>(), ["F", "I", "J", "o", "p"]);
    }

    #[test]
    fn members_are_those_of_values() {
        let members = Source::read("a.b().c; a::d(0.5..e); // f.g\n \"h.i\"").members;
        assert_eq!(members.iter().collect::<Vec<_>>(), ["b", "c"]);
    }
}
