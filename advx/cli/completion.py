"""`advx completion bash | zsh`: what the shell evaluates."""

COMPLETION = r"""
[ -n "$ZSH_VERSION" ] && autoload -U +X bashcompinit compinit && compinit && bashcompinit
_advx() {
  local word="${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "run attack reproduce list doctor report compare store completion" \
      -- "$word"))
  elif [ "${COMP_WORDS[1]}" = run ] || [ "${COMP_WORDS[1]}" = attack ]; then
    local choices
    choices=$(COMP_LINE="advx ${COMP_LINE#* * }" advx run -sc query=bash 2>/dev/null)
    COMPREPLY=($(compgen -o nospace -W "$choices" -- "$word"))
  elif [ "${COMP_WORDS[1]}" = store ]; then
    COMPREPLY=($(compgen -W "ls verify prune export" -- "$word"))
  fi
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -o nospace -o default -F _advx advx
"""
"""Completes verbs here and everything after `advx run` through Hydra's own query."""
