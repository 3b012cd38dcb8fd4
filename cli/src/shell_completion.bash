# Bash breaks words at the operators of queries. The words are taken from the line instead, and the candidates lose what
# is in front of the last break, because bash only replaces what follows it.
_zerver_complete() {
    local line="${COMP_LINE:0:COMP_POINT}"
    local -a words=()
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    local last=$(( ${#words[@]} - 1 ))
    # A quotation that is not closed yet.
    local current="${words[last]#[\'\"]}"
    words[last]="$current"
    local breaks='[:=<>(]'
    local stem="${current%"${current##*$breaks}"}"
    COMPREPLY=()
    local candidate
    while IFS= read -r candidate; do
        [[ -n $candidate ]] && COMPREPLY+=("${candidate#"$stem"}")
    done < <(
        export _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX="$last" _CLAP_COMPLETE_COMP_TYPE="$COMP_TYPE"
        export _CLAP_COMPLETE_SPACE=false ZERVER_COMPLETE=bash
        zerver -- "${words[@]}" 2> /dev/null
        echo
    )
    [[ "${COMPREPLY-}" =~ [=/:.\>]$ ]] && compopt -o nospace 2> /dev/null
}
complete -o bashdefault -F _zerver_complete zerver
