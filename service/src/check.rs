//! What a program's `check` finds, and how it is told.

use std::{
    fmt,
    io::{self, Write},
};

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about: "camera".
    pub subject: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// That, in words.
    pub text: String,
}

/// What came of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Works,
    /// It may be as it should be; a person decides.
    Note,
    /// It would fail.
    Fails,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Works => "works",
            Verdict::Note => "note",
            Verdict::Fails => "FAILS",
        };
        write!(f, "{:<8} {verdict:<5}  {}", self.subject, self.text)
    }
}

impl Finding {
    /// What was tried, what came of it, and that in words.
    pub fn new(subject: &'static str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self {
            subject,
            verdict,
            text: text.into(),
        }
    }

    /// It works.
    pub fn works(subject: &'static str, text: impl Into<String>) -> Self {
        Self::new(subject, Verdict::Works, text)
    }

    /// It would fail.
    pub fn fails(subject: &'static str, text: impl Into<String>) -> Self {
        Self::new(subject, Verdict::Fails, text)
    }
}

/// Writes the findings to standard output and returns how many things would fail.
///
/// # Errors
/// Nobody reads it.
pub fn report(findings: &[Finding]) -> io::Result<usize> {
    let mut out = io::stdout();
    for finding in findings {
        writeln!(out, "{finding}")?;
    }
    let fails = |finding: &&Finding| finding.verdict == Verdict::Fails;
    Ok(findings.iter().filter(fails).count())
}
