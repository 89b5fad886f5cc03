//! libFuzzer's dictionaries: a word in quotes on each line, `\\`, `\"` and `\xAB` for what can't stand there.

/// The words of a dictionary.
pub(crate) fn read(text: &str) -> Vec<Vec<u8>> {
    text.lines().filter_map(word).collect()
}

fn word(line: &str) -> Option<Vec<u8>> {
    let inner = line.trim().strip_prefix('"')?.strip_suffix('"')?;
    let mut word = Vec::new();
    let mut rest = inner.bytes();
    while let Some(byte) = rest.next() {
        word.push(match byte {
            b'\\' => match rest.next()? {
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                plain => plain,
            },
            plain => plain,
        });
    }
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_with_what_stands_for_other_bytes() {
        let text = "# a comment\n\"a=mid:\"\n\n\"\\xff\\xD8\"\n\"say \\\"no\\\\\"\n\"\\x4\"\n";
        let expected = [&b"a=mid:"[..], b"\xff\xd8", b"say \"no\\"];
        assert_eq!(read(text), expected);
    }
}
