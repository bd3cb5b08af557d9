# SPDX-License-Identifier: MIT
# Converts the output of `ctest -V`, whose programs write TAP, to one line per test: ok, not ok or skip. Each program is
# also a test, because a program that crashes prints no line for the test that crashed. The output of a failed program
# follows its line.

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
		verdict("skip", number, line)
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
		verdict("ok", number, "exits with code 0")
	} else {
		result = $0
		sub(/.*\*\*\*/, "", result)
		verdict("not ok", number, "exits with code 0 (" result ")")
		printf "%s", output[number]
	}
}

END {
	if (!programs)
		print "not ok " label ": at least one program runs"
}
