/// The page for people. It fetches `/status.json` by itself, and puts what that says in as text, never as HTML.
const PAGE: &str = include_str!("page.html");
/// Where the page wants the number that its script and style are allowed by.
const PLACE: &str = "{nonce}";

pub(super) fn with_nonce(nonce: &str) -> String {
    PAGE.replace(PLACE, nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_makes_no_html_of_names() {
        let page = with_nonce("0123");
        assert!(page.contains("<script nonce=\"0123\">") && page.contains("<style nonce=\"0123\">"));
        assert!(!page.contains(PLACE));
        for forbidden in [
            "http://",
            "https://",
            " src=",
            "@import",
            "url(",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            " style=",
            " onclick=",
            " onload=",
            " onerror=",
        ] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }
}
