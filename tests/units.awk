# SPDX-License-Identifier: MIT
# Turns the output of `ctest -V`, whose programs write TAP, into one line a test: ok, not ok or lacks. A program is a
# test too: one that crashes has no line for the case in which it did. What a failed program wrote follows its line.

function verdict(word, number, text) {
	print word " " label "/" name[number] ": " text
}

/^ +Start +[0-9]+: / {
	sub(":", "", $2)
	name[$2] = $3
	next
}

/^[0-9]+: / {
	number = $1
	sub(":", "", number)
	line = $0
	sub(/^[0-9]+: /, "", line)
	output[number] = output[number] "    | " line "\n"
	if (line ~ /# SKIP/) {
		sub(/^(not )?ok [0-9]+ (- )?/, "", line)
		verdict("lacks", number, line)
	} else if (line ~ /^not ok [0-9]+ - /) {
		sub(/^not ok [0-9]+ - /, "", line)
		verdict("not ok", number, line)
	} else if (line ~ /^ok [0-9]+ - /) {
		sub(/^ok [0-9]+ - /, "", line)
		verdict("ok", number, line)
	}
	next
}

/ Test +#[0-9]+: / {
	programs++
	match($0, /#[0-9]+:/)
	number = substr($0, RSTART + 1, RLENGTH - 2)
	if ($0 ~ / Passed /) {
		verdict("ok", number, "ends with exit code 0")
	} else {
		result = $0
		sub(/.*\*\*\*/, "", result)
		verdict("not ok", number, "ends with exit code 0 (" result ")")
		printf "%s", output[number]
	}
}

END {
	if (!programs)
		print "not ok " label ": there are programs to run"
}
