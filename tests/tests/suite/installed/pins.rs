//! What hangs on a board's pins is safe when the node was killed.

use pinhole_e2e::eventually::eventually;
use pinhole_e2e::installed::{Board, NODE, NODE_TOML};

use super::PORCH;

/// The line of the light, of a chip of gpio-sim.
const LIGHT: u32 = 4;

/// A light that was switched on is off after the node was killed, and stays off when the node runs again.
pub fn outputs_are_safe_after_a_kill(board: &Board) {
    let machine = &board.machine;
    let chip = machine.must(
        "mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
         set -e; cd /sys/kernel/config/gpio-sim && mkdir -p chip/bank0
         echo 54 >chip/bank0/num_lines; echo sim >chip/bank0/label; echo 1 >chip/live
         echo /sys/devices/platform/$(cat chip/dev_name)/$(cat chip/bank0/chip_name)",
    );
    let is_lit = || {
        let value = format!("cat {}/sim_gpio{LIGHT}/value", chip.trim());
        machine.must(&value).trim() == "1"
    };
    let becomes = |lit: bool| {
        let seen = eventually(machine.system().patience(), || (is_lit() == lit).then_some(()));
        assert!(
            seen.is_some(),
            "the light is not {lit}:\n{}",
            machine.account(NODE)
        );
    };

    let parts = format!(
        "[control]\nsocket = \"/run/pinhole/control.sock\"\n[gpio]\ndriver = \"cdev\"\nchip = \"sim\"\n\
         output = [{{ name = \"light\", pin = {LIGHT} }}]\n"
    );
    machine.write(NODE_TOML, &format!("{PORCH}\n{parts}"));
    machine.must(&format!("systemctl restart {NODE}"));
    board.wait_until_signed_in();
    let light = r#"{"type":"set","output":"light","on":true}"#;
    machine.must(&format!(
        "perl -MIO::Socket::UNIX -e 'my $node = IO::Socket::UNIX->new(\"/run/pinhole/control.sock\") or die $!; \
         print $node <<\"END\"; $node->flush; while (<$node>) {{ last if /\"what\":\"output\"/ }}\n{light}\nEND\n'"
    ));
    becomes(true);

    let before = machine.property(NODE, "MainPID");
    machine.must(&format!("systemctl kill --kill-who=main --signal=KILL {NODE}"));
    becomes(false);
    machine.wait_for(NODE, "MainPID", |pid| pid != before && pid != "0");
    machine.wait_until_active(NODE);
    board.wait_until_signed_in();
    assert!(!is_lit(), "it is lit again:\n{}", machine.account(NODE));

    machine.write(NODE_TOML, PORCH);
    machine.must(&format!(
        "systemctl reset-failed {NODE}; systemctl restart {NODE}"
    ));
    board.wait_until_signed_in();
}
