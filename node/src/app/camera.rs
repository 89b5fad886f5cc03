use crate::{
    capture::{self, Camera, OwnEncoding, Want},
    config::{self, Config, Device, Encoder, Encoders, Written},
    pipeline,
};

/// The device of one of the configuration's cameras.
pub(crate) fn device(config: &Config, camera: &config::Camera) -> Box<dyn Camera> {
    match &camera.device {
        Device::Name(name) => capture::camera(name, config.cameras.named_besides(camera)),
        Device::Command(command) => {
            let Written { pixel, colour } = command.format;
            Box::new(capture::Command::new(command.words.clone(), pixel, colour))
        }
    }
}

/// What a configuration asks of it.
pub(crate) fn want(config: &Config, camera: &config::Camera) -> Want {
    Want {
        size: camera.size,
        rate: camera.fps,
        format: camera.format,
        own_encoding: own_encoding(&config.video.encoders),
        controls: camera.controls.clone(),
    }
}

pub(super) fn settings(config: &Config, camera: &config::Camera) -> pipeline::Settings {
    pipeline::Settings {
        want: want(config, camera),
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
