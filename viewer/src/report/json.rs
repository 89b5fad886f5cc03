//! For programs: one JSON object per line (docs/viewer.md describes the keys).

use std::io::{self, Write};

use serde::Serialize;

use super::{
    Reporter,
    statistics::{Figures, Totalled},
    words,
};
use crate::{
    call::{Audience, Outcome, Slate},
    record::Recorded,
};

/// Writes NDJSON to `out`, and words for people to `asides`.
pub struct Json<Out: Write, Asides: Write> {
    out: Out,
    asides: Asides,
}

impl<Out: Write, Asides: Write> Json<Out, Asides> {
    /// A reporter that writes there.
    pub fn new(out: Out, asides: Asides) -> Self {
        Self { out, asides }
    }

    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.out.write_all(&line)?;
        self.out.flush()
    }
}

impl<Out: Write, Asides: Write> Audience for Json<Out, Asides> {
    fn tell(&mut self, text: &str) {
        // Without a stderr there is nobody to tell.
        let _ = writeln!(self.asides, "{text}");
    }

    fn interval(&mut self, figures: &Figures) -> bool {
        self.line(figures).is_ok()
    }

    fn slate(&mut self, second: f64, slate: Option<&Slate>) {
        self.tell(&words(slate));
        // Where nobody reads any more, the next interval notices.
        let _ = self.line(&Camera {
            camera: Now { second, slate },
        });
    }
}

impl<Out: Write, Asides: Write> Reporter for Json<Out, Asides> {
    fn finish(&mut self, outcome: &Outcome, recorded: &[Recorded]) -> io::Result<()> {
        let summary = Summary {
            node: outcome.node.as_deref(),
            ended: outcome.ending.word(),
            reason: outcome.ending.to_string(),
            exit_code: outcome.ending.exit_code(outcome.total.frames),
            slate: outcome.slate.as_ref(),
            total: &outcome.total,
            recorded,
        };
        self.line(&Last { summary })
    }
}

#[derive(Serialize)]
struct Camera<'a> {
    camera: Now<'a>,
}

#[derive(Serialize)]
struct Now<'a> {
    second: f64,
    slate: Option<&'a Slate>,
}

#[derive(Serialize)]
struct Last<'a> {
    summary: Summary<'a>,
}

#[derive(Serialize)]
struct Summary<'a> {
    node: Option<&'a str>,
    ended: &'a str,
    reason: String,
    exit_code: u8,
    slate: Option<&'a Slate>,
    #[serde(flatten)]
    total: &'a Totalled,
    recorded: &'a [Recorded],
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::Value;

    use super::*;
    use crate::{call::Ending, report::statistics::Statistics};

    #[test]
    fn every_line_is_an_object_and_the_last_one_the_summary() {
        let (mut out, mut asides) = (Vec::new(), Vec::new());
        let mut json = Json::new(&mut out, &mut asides);
        let mut statistics = Statistics::new(Instant::now());
        json.tell("calling");
        assert!(json.interval(&statistics.interval(Instant::now())));
        let slate = Some(Slate::NoSignal("unplugged".to_owned()));
        json.slate(2.5, slate.as_ref());
        json.slate(3.0, None);
        let total = statistics.total(Instant::now());
        let outcome = Outcome {
            ending: Ending::NoAnswer,
            node: Some("porch".to_owned()),
            slate,
            total,
        };
        json.finish(&outcome, &[]).expect("a vector takes everything");

        let text = String::from_utf8(out).expect("JSON is UTF-8");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0]["frames"], 0);
        assert_eq!(lines[0]["codec"], Value::Null);
        let slate = serde_json::json!({"code": "no-signal", "reason": "unplugged"});
        let expected = serde_json::json!({"camera": {"second": 2.5, "slate": slate}});
        assert_eq!(lines[1], expected);
        assert_eq!(
            lines[2],
            serde_json::json!({"camera": {"second": 3.0, "slate": null}})
        );
        let summary = &lines[3]["summary"];
        assert_eq!(summary["slate"], slate);
        assert_eq!(
            (&summary["ended"], &summary["exit_code"]),
            (&Value::from("no-answer"), &Value::from(6))
        );
        assert_eq!(
            (&summary["node"], &summary["frames"]),
            (&Value::from("porch"), &Value::from(0))
        );
        let told = "calling\nthe camera gives no picture: unplugged\nthe camera's picture is back\n";
        assert_eq!(String::from_utf8(asides).as_deref(), Ok(told));
    }
}
