use crate::{
    capture::{self, Camera, Others, OwnEncoding, Want},
    config::{self, Config, Device, Encoder, Encoders, Written},
    encode::{Way, m2m::CodedFormat},
    pipeline::{self, Bitrates},
};

/// The device of one of the configuration's cameras.
pub(crate) fn device(config: &Config, camera: &config::Camera) -> Box<dyn Camera> {
    match &camera.device {
        Device::Name(name) => {
            let others = Others {
                named: config.cameras.named_besides(camera),
                before: config.cameras.before(camera),
            };
            capture::camera(name, others, camera.inlet())
        }
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
        encoder_formats: Vec::new(),
        controls: camera.controls.clone(),
    }
}

pub(super) fn settings(config: &Config, camera: &config::Camera) -> pipeline::Settings {
    pipeline::Settings {
        want: want(config, camera),
        bitrates: bitrates(config),
        ways: ways(&config.video.encoders),
        hardware: CodedFormat::H264,
    }
}

/// The rates of its encoders.
pub(super) fn bitrates(config: &Config) -> Bitrates {
    let full = config.video.bitrate;
    Bitrates {
        full,
        small: config.video.small_bitrate.beside(full),
    }
}

/// What of it encodes on this machine.
pub(crate) fn ways(encoders: &Encoders) -> Vec<Way> {
    let way = |encoder| match encoder {
        Encoder::Passthrough => None,
        Encoder::M2m => Some(Way::Hardware),
        Encoder::Software => Some(Way::Software),
    };
    encoders.iter().filter_map(way).collect()
}

fn own_encoding(encoders: &Encoders) -> OwnEncoding {
    let Some(passthrough) = encoders.place(Encoder::Passthrough) else {
        return OwnEncoding::Never;
    };
    // Whatever may encode is there in most cases, so that the first counts.
    let others = [Encoder::M2m, Encoder::Software].map(|encoder| encoders.place(encoder));
    match others.into_iter().flatten().min() {
        Some(other) if other < passthrough => OwnEncoding::Possible,
        _ => OwnEncoding::Preferred,
    }
}
