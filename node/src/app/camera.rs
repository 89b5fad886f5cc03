use crate::{
    capture::{self, Camera, OwnEncoding, Want},
    config::{Config, Device, Encoder, Encoders, Written},
    pipeline,
};

/// The camera that a configuration names.
pub(crate) fn camera(device: &Device) -> Box<dyn Camera> {
    match device {
        Device::Name(name) => capture::camera(name),
        Device::Command(command) => {
            let Written { pixel, colour } = command.format;
            Box::new(capture::Command::new(command.words.clone(), pixel, colour))
        }
    }
}

/// What a configuration asks of it.
pub(crate) fn want(config: &Config) -> Want {
    Want {
        size: config.camera.size,
        rate: config.camera.fps,
        format: config.camera.format,
        own_encoding: own_encoding(&config.video.encoders),
        controls: config.camera.controls.clone(),
    }
}

pub(super) fn settings(config: &Config) -> pipeline::Settings {
    pipeline::Settings {
        want: want(config),
        bitrate: config.video.bitrate,
        software: config.video.encoders.place(Encoder::Software).is_some(),
    }
}

fn own_encoding(encoders: &Encoders) -> OwnEncoding {
    let Some(passthrough) = encoders.place(Encoder::Passthrough) else {
        return OwnEncoding::Never;
    };
    match encoders.place(Encoder::Software) {
        Some(software) if software < passthrough => OwnEncoding::Possible,
        _ => OwnEncoding::Preferred,
    }
}
