//! The viewer page: the files of `web/`, which are in the binary.

use bytes::Bytes;
use pinhole_http::header::{
    CONTENT_LENGTH, CONTENT_SECURITY_POLICY, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use pinhole_http::{Answer, StatusCode};

use super::answer;

/// Made by `build.rs`: the path below `web/`, and the content.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/web.rs"));

/// Nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'self'; connect-src 'self'; img-src 'self' data:; media-src 'self' blob:; \
                      style-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'";

const HEADERS: [(HeaderName, &str); 2] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Not "no-referrer": with that some browsers say `Origin: null` even to this server, whose own page it then is not
    // (https://fetch.spec.whatwg.org/#append-a-request-origin-header).
    (REFERRER_POLICY, "same-origin"),
];

pub(super) struct File {
    name: &'static str,
    content: &'static [u8],
}

/// The file at a path; `/` is `index.html`.
pub(super) fn find(path: &str) -> Option<File> {
    let name = match path.strip_prefix('/')? {
        "" => "index.html",
        name => name,
    };
    let at = FILES.binary_search_by_key(&name, |(name, _)| name).ok()?;
    let (name, content) = FILES[at];
    Some(File { name, content })
}

/// The file, or 304 where the browser has it already. `no-cache` makes it ask each time: a page of one version
/// never runs with a script of another. `frame_ancestors`: who may show it in a frame.
pub(super) fn serve(file: File, headers: &HeaderMap, frame_ancestors: &str) -> Answer {
    let tag = tag(file.content);
    let has_it = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag || known.trim() == "*");
    let content_type = HeaderValue::from_static(content_type(file.name));
    let mut answer = if has_it {
        let mut answer = answer::plain(StatusCode::NOT_MODIFIED, content_type, Bytes::new());
        // It would speak of the file, not of this empty body (RFC 9110, 8.6).
        answer.headers_mut().remove(CONTENT_LENGTH);
        answer
    } else {
        answer::plain(StatusCode::OK, content_type, Bytes::from_static(file.content))
    };
    let policy = format!("{POLICY}; frame-ancestors {frame_ancestors}");
    for (name, value) in [(ETAG, tag), (CONTENT_SECURITY_POLICY, policy)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            answer = answer.with(name, value);
        }
    }
    for (name, value) in HEADERS {
        answer = answer.with(name, HeaderValue::from_static(value));
    }
    answer
}

/// A tag that changes with the content: FNV-1a, 64 bits.
fn tag(content: &[u8]) -> String {
    let hash = content.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("\"{hash:016x}\"")
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_by_its_path_and_has_a_type() {
        assert!(find("/").is_some());
        for (name, content) in FILES {
            let file = find(&format!("/{name}")).unwrap();
            assert_eq!(file.content, *content);
            assert_ne!(content_type(name), "application/octet-stream", "what is {name}?");
        }
    }

    #[test]
    fn nothing_else_is_found() {
        for path in [
            "",
            "//",
            "/nothing",
            "/../Cargo.toml",
            "/index.html/",
            "/INDEX.HTML",
            "*",
        ] {
            assert!(find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_tag_changes_with_the_content() {
        assert_eq!(tag(b""), "\"cbf29ce484222325\"");
        assert_eq!(tag(b"a"), "\"af63dc4c8601ec8c\"");
        assert_ne!(tag(b"ab"), tag(b"ba"));
    }
}
