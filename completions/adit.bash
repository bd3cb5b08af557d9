# SPDX-License-Identifier: MIT
# Completion of adit(8) for bash. The program itself lists the words: "adit --complete WORD...".
_adit()
{
	local line word=${COMP_WORDS[COMP_CWORD]} format=%q
	local -a words=("${COMP_WORDS[@]:1:COMP_CWORD}")

	# The program expects the words without quotes. Within an open quote, bash inserts the text as it is.
	case $word in
	[\'\"]*) format=%s words[COMP_CWORD - 1]=${word:1} ;;
	*) words[COMP_CWORD - 1]=${word//\\/} ;;
	esac
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		:files | :configurations)
			compopt -o filenames
			while IFS= read -r line; do
				COMPREPLY+=("$line")
			done < <(if [[ $line == :files ]]; then compgen -f -- "$word"; else compgen -d -- "$word"
				compgen -f -X '!*.conf' -- "$word"; fi)
			;;
		:directories)
			compopt -o filenames
			while IFS= read -r line; do
				COMPREPLY+=("$line")
			done < <(compgen -d -- "$word")
			;;
		*) COMPREPLY+=("$(printf "$format" "${line%%$'\t'*}")") ;; # a name of a peer may contain blanks
		esac
	done < <("$1" --complete "${words[@]}" 2>/dev/null)
}
complete -F _adit adit
