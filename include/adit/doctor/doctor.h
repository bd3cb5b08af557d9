/* SPDX-License-Identifier: MIT */
/* adit doctor: checks whether this host can run a tunnel, and reports what to change. It changes nothing itself. */
#ifndef ADIT_DOCTOR_DOCTOR_H
#define ADIT_DOCTOR_DOCTOR_H

/*
 * `doctor [FILE] [--json]`: takes its own name as argv[0]. Without FILE, checks only the host. Prints one finding per
 * line on standard output, or one JSON object, which adit(8) describes. Returns the exit code of the program: 0; 1 if
 * a finding is a failure, or after an error message on standard error. Warnings do not count.
 */
int command_doctor(int argc, char **argv);

#endif
