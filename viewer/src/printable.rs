//! Words of others, made safe to print: a terminal obeys control characters.

/// The most characters that are printed of what somebody else wrote.
const MOST: usize = 300;

/// `text` with every control character replaced by `_`, and cut where it is very long.
pub fn printable(text: &str) -> String {
    let visible = |character: char| if character.is_control() { '_' } else { character };
    let mut printable: String = text.chars().take(MOST).map(visible).collect();
    if text.chars().nth(MOST).is_some() {
        printable.push('…');
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_and_control_characters_go() {
        assert_eq!(printable("현관 porch"), "현관 porch");
        assert_eq!(printable("\x1b[2Jgone\u{9b}31m\r\n"), "_[2Jgone_31m__");
        assert_eq!(printable(&"x".repeat(MOST + 1)).chars().count(), MOST + 1);
        assert!(printable(&"x".repeat(MOST + 1)).ends_with('…'));
    }
}
