# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_pinhole_node_global_optspecs
    string join \n config= h/help V/version
end

function __fish_pinhole_node_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_pinhole_node_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_pinhole_node_using_subcommand
    set -l cmd (__fish_pinhole_node_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c pinhole-node -n "__fish_pinhole_node_needs_command" -l config -d 'The configuration. Without this option it is /etc/pinhole/node.toml, or the defaults where there is none' -r -F
complete -c pinhole-node -n "__fish_pinhole_node_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pinhole-node -n "__fish_pinhole_node_needs_command" -s V -l version -d 'Print version'
complete -c pinhole-node -n "__fish_pinhole_node_needs_command" -f -a "check" -d 'Tells whether a configuration is valid and would work on this machine, and what is wrong where not'
complete -c pinhole-node -n "__fish_pinhole_node_needs_command" -f -a "safe" -d 'Makes every output that a configuration names safe, for when the node was killed: systemd calls it then'
complete -c pinhole-node -n "__fish_pinhole_node_needs_command" -f -a "devices" -d 'Lists the cameras of this machine with their formats and controls, the sound cards, the encoders, and the GPIO chips'
complete -c pinhole-node -n "__fish_pinhole_node_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c pinhole-node -n "__fish_pinhole_node_using_subcommand check" -l config -d 'The configuration, as the node itself is told it' -r -F
complete -c pinhole-node -n "__fish_pinhole_node_using_subcommand check" -l offline -d 'Look at the file only: touch no device, port or network'
complete -c pinhole-node -n "__fish_pinhole_node_using_subcommand check" -s h -l help -d 'Print help'
complete -c pinhole-node -n "__fish_pinhole_node_using_subcommand safe" -l config -d 'The configuration, as the node itself is told it' -r -F
complete -c pinhole-node -n "__fish_pinhole_node_using_subcommand safe" -s h -l help -d 'Print help'
complete -c pinhole-node -n "__fish_pinhole_node_using_subcommand devices" -l json -d 'For programs: one JSON object'
complete -c pinhole-node -n "__fish_pinhole_node_using_subcommand devices" -s h -l help -d 'Print help'
complete -c pinhole-node -n "__fish_pinhole_node_using_subcommand help; and not __fish_seen_subcommand_from check safe devices help" -f -a "check" -d 'Tells whether a configuration is valid and would work on this machine, and what is wrong where not'
complete -c pinhole-node -n "__fish_pinhole_node_using_subcommand help; and not __fish_seen_subcommand_from check safe devices help" -f -a "safe" -d 'Makes every output that a configuration names safe, for when the node was killed: systemd calls it then'
complete -c pinhole-node -n "__fish_pinhole_node_using_subcommand help; and not __fish_seen_subcommand_from check safe devices help" -f -a "devices" -d 'Lists the cameras of this machine with their formats and controls, the sound cards, the encoders, and the GPIO chips'
complete -c pinhole-node -n "__fish_pinhole_node_using_subcommand help; and not __fish_seen_subcommand_from check safe devices help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
