complete -c pinhole-server -l config -d 'The configuration file [default: /etc/pinhole/server.toml if it is there]' -r -F
complete -c pinhole-server -l listen -d 'The address and port to listen on, above what the configuration says [default: [::]:8888]' -r
complete -c pinhole-server -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pinhole-server -s V -l version -d 'Print version'
