# Completion of ww-ctl's command line in bash: `source <(ww-ctl completions bash)`.
_ww_ctl() {
    # Readline also breaks words at `=`, `:` and the like. Here they are what was typed between two spaces.
    local rest=${COMP_LINE:0:COMP_POINT} words=() word gap piece prefix sign i
    for ((i = 0; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        gap=${rest%%"$word"*}
        rest=${rest:${#gap}+${#word}}
        if [[ -z $gap && $i -gt 0 ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
    done
    if [[ $rest == [[:space:]]* ]]; then
        words+=("${rest##*[[:space:]]}")
    else
        words[${#words[@]}-1]+=$rest
    fi
    # Only what follows the last of these signs is replaced.
    word=${words[${#words[@]}-1]}
    piece=$word
    for sign in '=' ':' '@'; do
        [[ $COMP_WORDBREAKS == *"$sign"* ]] && piece=${piece##*"$sign"}
    done
    prefix=${word%"$piece"}
    mapfile -t COMPREPLY < <(WW_COMPLETE=bash ww-ctl -- "${words[@]}" 2>/dev/null)
    COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:/] ]]; then
        compopt -o nospace
    fi
}
complete -o nosort -F _ww_ctl ww-ctl 2>/dev/null || complete -F _ww_ctl ww-ctl
