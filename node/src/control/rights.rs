use crate::config::{Allow, Control};

/// What kind of client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A viewer whose channel says that it is the page. That is an agreement, no authentication.
    Page,
    /// Another viewer.
    Program,
    /// A program on this machine, at the socket: whoever may open that may do everything.
    Socket,
}

/// What a client may do or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Switch outputs.
    Outputs,
    /// Turn servos.
    Servos,
    /// Set the camera's controls.
    Camera,
    /// Take a picture.
    Snapshot,
    /// Be told of inputs and faults.
    Events,
    /// Talk with the programs at the socket.
    Messages,
}

impl Capability {
    const ALL: [Capability; 6] = [
        Capability::Outputs,
        Capability::Servos,
        Capability::Camera,
        Capability::Snapshot,
        Capability::Events,
        Capability::Messages,
    ];

    /// Its key in `[control]`, and its name in `hello`.
    pub fn name(self) -> &'static str {
        match self {
            Capability::Outputs => "outputs",
            Capability::Servos => "servos",
            Capability::Camera => "camera",
            Capability::Snapshot => "snapshot",
            Capability::Events => "events",
            Capability::Messages => "messages",
        }
    }
}

/// What one client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rights([bool; Capability::ALL.len()]);

impl Rights {
    pub(super) fn of(control: &Control, origin: Origin) -> Self {
        Self(Capability::ALL.map(|capability| {
            let allow = match capability {
                Capability::Outputs => control.outputs,
                Capability::Servos => control.servos,
                Capability::Camera => control.camera,
                Capability::Snapshot => control.snapshot,
                Capability::Events => control.events,
                // Without a socket there is nobody to talk with.
                Capability::Messages if control.socket.is_none() => Allow::Nobody,
                Capability::Messages => control.messages,
            };
            match origin {
                Origin::Socket => true,
                Origin::Page => allow != Allow::Nobody,
                Origin::Program => allow == Allow::All,
            }
        }))
    }

    pub(super) fn may(self, capability: Capability) -> bool {
        self.0[capability as usize]
    }

    pub(super) fn names(self) -> Vec<&'static str> {
        let all = Capability::ALL.into_iter();
        all.filter(|capability| self.may(*capability))
            .map(Capability::name)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_capability_is_given_to_those_who_are_named() {
        let control = Control {
            outputs: Allow::Nobody,
            servos: Allow::Page,
            camera: Allow::All,
            ..Control::default()
        };
        for (origin, outputs, servos, camera) in [
            (Origin::Page, false, true, true),
            (Origin::Program, false, false, true),
            (Origin::Socket, true, true, true),
        ] {
            let rights = Rights::of(&control, origin);
            assert_eq!(rights.may(Capability::Outputs), outputs, "{origin:?}");
            assert_eq!(rights.may(Capability::Servos), servos, "{origin:?}");
            assert_eq!(rights.may(Capability::Camera), camera, "{origin:?}");
        }
    }

    #[test]
    fn messages_need_somebody_to_talk_with() {
        let mut control = Control::default();
        assert!(!Rights::of(&control, Origin::Page).may(Capability::Messages));
        control.socket = Some("/run/pinhole/control.sock".into());
        assert!(Rights::of(&control, Origin::Page).may(Capability::Messages));
        assert!(!Rights::of(&control, Origin::Program).may(Capability::Messages));
    }
}
