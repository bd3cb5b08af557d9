/* SPDX-License-Identifier: MIT */
/* Words on the command line that are probably meant as a command, and not as the name of an interface to create. */
#ifndef ADIT_CLI_WORDS_H
#define ADIT_CLI_WORDS_H

/*
 * Returns the command line that the user probably meant by `word`, such as "adit show" for "status" and "adit check"
 * for "chek", or NULL if the word is nothing like a command. Words with a digit, such as "run0", are names of
 * interfaces.
 */
const char *command_meant_by(const char *word);

#endif
