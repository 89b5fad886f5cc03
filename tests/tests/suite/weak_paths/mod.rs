//! Viewers whose path carries less than the camera gives, or loses some of it: their picture keeps moving, and nobody else's is touched.

mod course;
mod place;
mod soak;

mod quick {
    use std::time::Duration;

    use pinhole_e2e::eventually::eventually;
    use pinhole_e2e::path::Conditions;
    use pinhole_e2e::process::SOON;
    use pinhole_e2e::programs::server_url;
    use pinhole_e2e::skip::{Need, skipped};
    use pinhole_e2e::viewer::Viewer;
    use serde_json::{Value, json};

    use super::place::{Place, is_live, page, raw_camera};

    /// Pictures that are enough to say that it moves.
    const SOME: u32 = 60;

    #[test]
    fn a_picture_keeps_moving_on_a_path_that_carries_half_of_it_and_comes_back_whole() {
        if skipped(Need::Network) {
            return;
        }
        let place = Place::new(&raw_camera(), &[Conditions::narrow(1_000_000)]);
        let (mut near, mut far) = (page(&place.near), page(&place.fars[0]));
        near.ask("watch", json!({"camera": "porch"}));
        is_live(&mut near);
        far.ask("watch", json!({"camera": "porch"}));
        is_live(&mut far);
        // Until it is known what the path carries.
        place.has_thinned(1, SOON);
        let beside = near.begin("frames", json!({"distinct": SOME, "within": 40}));
        far.ask("frames", json!({"distinct": SOME, "within": 40}));
        let beside = near.finish(beside);
        assert_eq!(beside["width"], 640, "{beside}");
        let status = place.status();
        let viewers = status["viewers"].as_array().expect("there are two");
        let whole: Vec<&Value> = viewers
            .iter()
            .filter(|viewer| viewer["thinned"] == false)
            .collect();
        assert!(whole.len() == 1 && whole[0]["halved"] == false, "{viewers:#?}");
        place.paths[0].change(|conditions| *conditions = Conditions::GOOD);
        place.has_thinned(0, 2 * SOON);
        let frames = far.ask("frames", json!({"distinct": SOME, "within": 40}));
        assert_eq!(frames["width"], 640, "{frames}");
    }

    #[test]
    fn each_of_several_viewers_is_sent_what_its_path_carries() {
        if skipped(Need::Network) {
            return;
        }
        let paths = [
            Conditions::narrow(450_000),
            Conditions::narrow(1_000_000),
            Conditions::GOOD,
        ];
        let place = Place::new(&raw_camera(), &paths);
        let watch = |far| Viewer::watch(far, &server_url(), "porch", &[], SOON);
        let viewers: Vec<_> = place.fars.iter().map(watch).collect();
        let are = |status: &Value| {
            let viewers = status["viewers"].as_array().map_or(&[][..], Vec::as_slice);
            let said = |viewer: &Value| (viewer["rung"].to_string(), viewer["thinned"] == true);
            let mut all: Vec<_> = viewers.iter().map(said).collect();
            all.sort();
            all
        };
        let wanted = [("full", false), ("small", true), ("small", true)];
        let wanted = wanted.map(|(rung, thinned)| (format!("\"{rung}\""), thinned));
        let settled = eventually(Duration::from_secs(60), || {
            (are(&place.status()) == wanted).then_some(())
        });
        assert!(settled.is_some(), "{:#}", place.status()["viewers"]);
        for viewer in &viewers {
            viewer.goes_on();
        }
    }
}
