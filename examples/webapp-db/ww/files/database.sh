# Read in by the scripts that need the database while its service is not up.

# A server that nobody but the scripts reaches: it has no port. Its own words are shown only when it fails.
database_start() {
    words=/run/app/mysql/words.err
    rm -f "$words"
    setpriv --reuid=mysql --regid=mysql --clear-groups \
        mariadbd --defaults-file=/run/app/my.cnf --skip-networking --log-error="$words" > /dev/null 2>&1 &
    database=$!
    # However the script ends: the server is told to stop and waited for.
    trap 'kill "$database" 2> /dev/null && wait "$database"' EXIT
    trap 'exit 143' TERM INT
    # As long as it lives it is given time: it may have a crash to repair.
    until mariadb --defaults-file=/run/app/my.cnf --execute 'SELECT 1' > /dev/null 2>&1; do
        if ! kill -0 "$database" 2> /dev/null; then
            cat "$words" >&2 || :
            echo "the database does not start" >&2
            exit 1
        fi
        sleep 0.2
    done
}

database_stop() {
    trap - EXIT
    kill "$database"
    if ! wait "$database"; then
        cat "$words" >&2
        echo "the database did not stop in order" >&2
        exit 1
    fi
}
