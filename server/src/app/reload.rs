use std::path::PathBuf;

use pinhole_server::config::Config;
use pinhole_server::http::Control;
use pinhole_service::notify;

use super::files;

/// Reads the configuration again and has the server obey what has changed.
pub(super) struct Reloader {
    pub(super) file: PathBuf,
    /// The command line says where to listen, whatever the file says.
    pub(super) is_listen_given: bool,
    /// What runs.
    pub(super) config: Config,
    /// What was wrong with the file at the last reload, where the old configuration stayed.
    pub(super) mistake: Option<String>,
    pub(super) control: Control,
}

impl Reloader {
    /// Obeys the file as it is now. With a mistake in it everything stays as it was. Members stay signed in.
    pub(super) fn reload(&mut self) {
        notify::reloading();
        self.mistake = match Config::read(&self.file) {
            Ok(config) => {
                self.apply(config);
                None
            }
            Err(error) => {
                tracing::warn!("the old configuration stays: {error}");
                Some(error.to_string())
            }
        };
        notify::ready();
    }

    fn apply(&mut self, mut config: Config) {
        if !self.is_listen_given && config.listen != self.config.listen {
            tracing::warn!(
                "listen has changed; it is obeyed at the next start (systemctl restart pinhole-server)"
            );
        }
        // What runs: another change of it is a change again.
        config.listen = self.config.listen;
        let changed: Vec<_> = [
            (config.access.token != self.config.access.token, "token"),
            (config.access.hosts != self.config.access.hosts, "hosts"),
            (
                config.access.allow_origins != self.config.access.allow_origins,
                "allow_origins",
            ),
            (
                config.access.trusted_proxies != self.config.access.trusted_proxies,
                "trusted_proxies",
            ),
            (config.limits != self.config.limits, "limits"),
        ]
        .into_iter()
        .filter_map(|(has_changed, word)| has_changed.then_some(word))
        .collect();
        if changed.is_empty() {
            tracing::info!("configuration read again: nothing to do");
        } else {
            tracing::info!(changed = changed.join(", "), "configuration read again");
            self.control.obey(files::affordable(config.clone()));
        }
        self.config = config;
    }
}
