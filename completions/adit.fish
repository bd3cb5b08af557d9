# SPDX-License-Identifier: MIT
# Completion of adit(8) for fish. The program itself lists the words: "adit --complete WORD...".
function __fish_adit
	set -l words (commandline --cut-at-cursor --current-process --tokenize)
	set -l word (commandline --cut-at-cursor --current-token)
	set -l plain (string unescape -- "$word") # empty if the word has an open quote; fish selects the words itself

	for line in (command $words[1] --complete $words[2..] "$plain" 2>/dev/null)
		switch $line
			case :files
				__fish_complete_path "$word"
			case :configurations
				__fish_complete_suffix "$word" .conf
			case :directories
				__fish_complete_directories "$word"
			case '*'
				echo $line
		end
	end
end
complete --command adit --no-files --arguments '(__fish_adit)'
