# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_pinhole_view_global_optspecs
    string join \n server= token-file= h/help V/version
end

function __fish_pinhole_view_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_pinhole_view_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_pinhole_view_using_subcommand
    set -l cmd (__fish_pinhole_view_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c pinhole-view -n "__fish_pinhole_view_needs_command" -l server -d 'The signaling server, as http://HOST[:PORT] (port 8888 if none is given)' -r
complete -c pinhole-view -n "__fish_pinhole_view_needs_command" -l token-file -d 'A file with the server\'s access token, where it wants one' -r -F
complete -c pinhole-view -n "__fish_pinhole_view_needs_command" -s h -l help -d 'Print help'
complete -c pinhole-view -n "__fish_pinhole_view_needs_command" -s V -l version -d 'Print version'
complete -c pinhole-view -n "__fish_pinhole_view_needs_command" -f -a "list" -d 'Prints who is signed in at the server'
complete -c pinhole-view -n "__fish_pinhole_view_needs_command" -f -a "watch" -d 'Calls a node, receives its video, and tells how well it comes'
complete -c pinhole-view -n "__fish_pinhole_view_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand list" -l server -d 'The signaling server, as http://HOST[:PORT] (port 8888 if none is given)' -r
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand list" -l token-file -d 'A file with the server\'s access token, where it wants one' -r -F
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand list" -l json -d 'One JSON object per member and line'
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand list" -s h -l help -d 'Print help'
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand watch" -l seconds -d 'Stop that many seconds after the first picture; without it, watch until Ctrl-C' -r
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand watch" -l wait -d 'Wait that many seconds for the node to sign in, if it is not there' -r
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand watch" -l interval -d 'Tell the figures that often' -r
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand watch" -l record -d 'Record into this file: .mkv holds any codec, .webm asks the node for VP8' -r -F
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand watch" -l codec -d 'Accept only this codec; without it, H.264 and, where the node has none, VP8' -r -f -a "h264\t'H.264, constrained baseline'
vp8\t'VP8'"
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand watch" -l ice-server -d 'A STUN server that helps to find a path through NAT, as stun:HOST:PORT; may be given several times' -r
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand watch" -l server -d 'The signaling server, as http://HOST[:PORT] (port 8888 if none is given)' -r
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand watch" -l token-file -d 'A file with the server\'s access token, where it wants one' -r -F
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand watch" -l force -d 'Overwrite the recording\'s file if it exists'
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand watch" -l json -d 'One JSON object per interval and line, and a summary as the last line'
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand help; and not __fish_seen_subcommand_from list watch help" -f -a "list" -d 'Prints who is signed in at the server'
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand help; and not __fish_seen_subcommand_from list watch help" -f -a "watch" -d 'Calls a node, receives its video, and tells how well it comes'
complete -c pinhole-view -n "__fish_pinhole_view_using_subcommand help; and not __fish_seen_subcommand_from list watch help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
