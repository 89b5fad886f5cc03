//! The formats in which metrics are told, and which one somebody wants.

use std::fmt::Write;

use pinhole_http::{HeaderMap, header::ACCEPT};

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// What every reader of Prometheus' metrics understands: the text format 0.0.4.
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>
    Text,
    /// OpenMetrics 1.0.0, for who asks for it by its name.
    /// <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>
    OpenMetrics,
}

impl Format {
    /// The one that a request asks for in its `Accept` (RFC 9110, section 12.5.1). What takes neither gets text all the same.
    pub(in crate::status) fn wanted(headers: &HeaderMap) -> Self {
        let (mut open_metrics, mut text) = (0.0, 0.0);
        let lines = headers.get_all(ACCEPT).iter();
        for range in lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
        {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut version, mut quality) = (None, 1.0f32);
            for part in parts {
                match part
                    .split_once('=')
                    .map(|(name, value)| (name.trim(), value.trim()))
                {
                    Some((name, value)) if name.eq_ignore_ascii_case("q") => {
                        quality = value
                            .parse()
                            .ok()
                            .filter(|q| (0.0..=1.0).contains(q))
                            .unwrap_or(0.0);
                    }
                    Some((name, value)) if name.eq_ignore_ascii_case("version") => {
                        version = Some(value.trim_matches('"'));
                    }
                    _ => {}
                }
            }
            let best = match (kind.as_str(), version) {
                ("application/openmetrics-text", None | Some("1.0.0")) => &mut open_metrics,
                ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => &mut text,
                _ => continue,
            };
            *best = quality.max(*best);
        }
        if open_metrics > 0.0 && open_metrics >= text {
            Format::OpenMetrics
        } else {
            Format::Text
        }
    }

    /// Its content type.
    pub(in crate::status) fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// A page of OpenMetrics in this format.
    pub(super) fn of(self, page: String) -> String {
        match self {
            Format::Text => text(&page),
            Format::OpenMetrics => page,
        }
    }
}

/// The text format has neither units nor an end mark nor the kind `info`, and a family is called as its samples are.
fn text(page: &str) -> String {
    let mut out = String::with_capacity(page.len() + page.len() / 16);
    let mut help = "";
    for line in page.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("EOF" | "UNIT"), ..) => {}
            // What the family is called depends on its kind, which comes next.
            (Some("#"), Some("HELP"), Some(_), words) => help = words.unwrap_or_default(),
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", kind),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    _ => ("", kind),
                };
                // Writing into a string does not fail. Quotes are marked in OpenMetrics only.
                let help = help.replace("\\\"", "\"");
                let _ = writeln!(out, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}");
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use pinhole_http::header::HeaderValue;

    use super::*;

    #[test]
    fn open_metrics_is_for_who_asks_for_it_and_likes_it_no_less() {
        let open_metrics = "application/openmetrics-text";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, expected) in [
            (&[][..], Format::Text),
            (&["*/*"], Format::Text),
            (&["text/html,application/xhtml+xml,*/*;q=0.8"], Format::Text),
            (&["text/plain"], Format::Text),
            (&["text/plain; version=0.0.4"], Format::Text),
            (&["application/json"], Format::Text),
            (&[open_metrics], Format::OpenMetrics),
            (
                &["Application/OpenMetrics-Text; Version=\"1.0.0\""],
                Format::OpenMetrics,
            ),
            (&["text/plain;q=0.5", open_metrics], Format::OpenMetrics),
            (&["application/openmetrics-text;q=0.5, text/plain"], Format::Text),
            (&["application/openmetrics-text;q=0"], Format::Text),
            (&["application/openmetrics-text;q=x"], Format::Text),
            (&["application/openmetrics-text;version=2.0.0"], Format::Text),
            (&[prometheus_3], Format::OpenMetrics),
            (&[";;=,,q"], Format::Text),
        ] {
            let mut headers = HeaderMap::new();
            for line in accept {
                headers.append(ACCEPT, HeaderValue::from_static(line));
            }
            assert_eq!(Format::wanted(&headers), expected, "{accept:?}");
        }
    }

    #[test]
    fn text_has_what_it_knows() {
        let page = "# HELP pinhole_build The \\\"program\\\".\n# TYPE pinhole_build info\npinhole_build_info{version=\"0.1.0\"} 1\n\
                    # HELP pinhole_uptime_seconds Time.\n# TYPE pinhole_uptime_seconds gauge\n# UNIT pinhole_uptime_seconds seconds\n\
                    pinhole_uptime_seconds 61.5\n# HELP pinhole_frames Pictures.\n# TYPE pinhole_frames counter\n\
                    pinhole_frames_total{camera=\"# EOF\"} 7\n# EOF\n";
        let expected = "# HELP pinhole_build_info The \"program\".\n# TYPE pinhole_build_info gauge\n\
                        pinhole_build_info{version=\"0.1.0\"} 1\n\
                        # HELP pinhole_uptime_seconds Time.\n# TYPE pinhole_uptime_seconds gauge\npinhole_uptime_seconds 61.5\n\
                        # HELP pinhole_frames_total Pictures.\n# TYPE pinhole_frames_total counter\n\
                        pinhole_frames_total{camera=\"# EOF\"} 7\n";
        assert_eq!(Format::Text.of(page.to_owned()), expected);
        assert_eq!(Format::OpenMetrics.of(page.to_owned()), page);
    }
}
