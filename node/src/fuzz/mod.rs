//! What has to hold whatever comes from outside: one function for each kind of input, which checks that and tells whether the input was
//! taken for what it should be. The unit tests here give them seeds and mutations of those; `dev/fuzz` gives them to libFuzzer
//! (`tests/fuzz`).

mod config;
mod h264;
mod jpeg;

pub use config::config;
pub use h264::h264;
pub use jpeg::jpeg;

pub use crate::peer::fuzz::{demux, sdp};

/// Where the parts of a stream end that come one by one, by the stream itself: bytes singly, and parts of several lengths.
fn cuts(stream: &[u8]) -> [Vec<usize>; 2] {
    let step = 2 + stream.len() % 61;
    let singly = (0..stream.len().min(4096)).collect();
    let parts = (0..stream.len()).step_by(step).collect();
    [singly, parts]
}

#[cfg(test)]
mod tests {
    use pinhole_fuzz::{Tally, attempt};

    use super::*;

    /// Inputs of both kinds are many enough that something is tested.
    fn is_telling(tally: Tally, mutations: usize) {
        let least = mutations / 50;
        assert!(
            tally.seeds > 0 && tally.taken > least && tally.refused > least,
            "{tally:?}"
        );
    }

    #[test]
    fn whatever_a_viewer_describes_is_answered_in_kind_or_refused_in_words() {
        is_telling(attempt("sdp", 1500, sdp), 1500);
    }

    #[test]
    fn whatever_is_sent_to_the_port_of_a_call_it_goes_on() {
        is_telling(attempt("demux", 150, demux), 150);
    }

    #[test]
    fn whatever_is_said_to_be_jpeg_is_cut_alike_in_any_parts() {
        is_telling(attempt("jpeg", 2000, jpeg), 2000);
    }

    #[test]
    fn whatever_is_said_to_be_h264_is_cut_alike_in_any_parts_and_reaches_viewers_whole() {
        is_telling(attempt("h264", 3000, h264), 3000);
    }

    #[test]
    fn whatever_a_configuration_says_is_consistent_or_a_mistake_with_its_line() {
        is_telling(attempt("config", 3000, config), 3000);
    }
}
