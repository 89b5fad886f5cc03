//! Which ports `dev/run` takes where others listen already.

use std::process::Command;

use pinhole_e2e::programs::repository;

mod quick {
    use super::*;

    /// What `free_port` answers where somebody listens on these ports.
    fn free_port(taken: &str, arguments: &str) -> String {
        let script =
            format!(". dev/ports; taken() {{ [[ ' {taken} ' = *\" $1 \"* ]]; }}; free_port {arguments}");
        let output = Command::new("bash")
            .current_dir(repository())
            .args(["-euc", &script])
            .output()
            .expect("bash is there");
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    #[test]
    fn server_and_status_never_take_the_same_port() {
        for (taken, server, status) in [
            ("", "8888", "8889"),
            ("8888", "8890", "8889"),
            ("8889", "8888", "8890"),
            ("8888 8889", "8890", "8891"),
            ("8888 8890", "8891", "8889"),
            ("8888 8889 8890 8892", "8891", "8893"),
        ] {
            assert_eq!(free_port(taken, "8888"), server, "{taken}");
            let other = format!("8889 {server}");
            assert_eq!(free_port(taken, &other), status, "{taken}");
        }
    }
}
