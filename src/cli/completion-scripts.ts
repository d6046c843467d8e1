/** The text as it stands, but for `\${`, which is how a template has the `${` of a shell. */
function script({ raw }: TemplateStringsArray): string {
  return raw.join('').replaceAll('\\${', '${');
}

/**
 * Completion for shells. Each asks `podwright complete` at each press of the key, so that it goes with the version that is
 * installed; of its answer it takes words, or has the shell complete paths.
 */
export const SCRIPTS = {
  bash: script`# bash completion of podwright. Once: source <(podwright completion bash)
# For good: podwright completion bash > /usr/share/bash-completion/completions/podwright

_podwright() {
  # Bash cuts words at characters such as : and = too: put them together again, as far as the cursor.
  local -a words=()
  local rest=\${COMP_LINE:0:COMP_POINT} part i
  for ((i = 0; i <= COMP_CWORD; i++)); do
    part=\${COMP_WORDS[i]}
    if ((i == 0)) || [[ $rest == [[:space:]]* ]]; then
      words+=("")
      rest=\${rest#"\${rest%%[![:space:]]*}"}
    fi
    part=\${part:0:\${#rest}}
    words[-1]+=$part
    rest=\${rest#"$part"}
  done
  local current=\${words[-1]} answer kind word
  answer=$("\${words[0]}" complete -- "\${words[@]:1}" 2>/dev/null) || return 0
  kind=\${answer%%$'\n'*}
  COMPREPLY=()
  case $kind in
    words)
      # Of a word that was put together only what is behind the last cut is replaced.
      local head="" breaks=\${COMP_WORDBREAKS//[^:=@]/}
      [[ -n $breaks ]] && head=\${current%"\${current##*["$breaks"]}"}
      while IFS=$'\t' read -r word _; do
        COMPREPLY+=("\${word#"$head"}")
      done < <(tail -n +2 <<<"$answer")
      ;;
    files | directories)
      [[ $current == --*=* ]] && current=\${current#*=}
      local action=-f
      [[ $kind == directories ]] && action=-d
      mapfile -t COMPREPLY < <(compgen "$action" -- "$current")
      compopt -o filenames 2>/dev/null
      ;;
  esac
  return 0
}

complete -F _podwright podwright
`,

  zsh: script`#compdef podwright
# zsh completion of podwright. Once, behind compinit: source <(podwright completion zsh)
# For good: podwright completion zsh > /usr/share/zsh/vendor-completions/_podwright

_podwright() {
  local -a given answer words_found
  local line
  given=("\${(@Q)words[2,CURRENT-1]}" "$PREFIX")
  answer=("\${(@f)$("\${(Q)words[1]}" complete -- "\${given[@]}" 2>/dev/null)}")
  case \${answer[1]} in
    words)
      for line in "\${(@)answer[2,-1]}"; do
        words_found+=("\${\${line%%$'\t'*}//:/\\:}:\${line#*$'\t'}")
      done
      _describe -V podwright words_found
      ;;
    files | directories)
      [[ $PREFIX == --*=* ]] && compset -P '*='
      if [[ \${answer[1]} == directories ]]; then _files -/; else _files; fi
      ;;
  esac
}

if [[ \${funcstack[1]:-} == _podwright ]]; then _podwright "$@"; else compdef _podwright podwright; fi
`,

  fish: script`# fish completion of podwright. Once: podwright completion fish | source
# For good: podwright completion fish > /usr/share/fish/vendor_completions.d/podwright.fish

function __podwright_complete
    set -l given (commandline -opc)
    set -l current (commandline -ct)
    set -l answer ($given[1] complete -- $given[2..-1] $current 2>/dev/null)
    switch "$answer[1]"
        case words
            string join \n -- $answer[2..-1]
        case files directories
            set -l head (string match -r -- '^--[^=]+=' $current)
            set -l path (string replace -r -- '^--[^=]+=' "" $current)
            set -l found
            if test $answer[1] = directories
                set found (__fish_complete_directories $path)
            else
                set found (__fish_complete_path $path)
            end
            for each in $found
                echo "$head$each"
            end
    end
end

complete -c podwright -f -a '(__podwright_complete)'
`,
} as const;
