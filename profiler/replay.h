/* The verb `replay`: a recording becomes any other format. */
#ifndef PYROMETER_PROFILER_REPLAY_H
#define PYROMETER_PROFILER_REPLAY_H

struct options;

/* Reads options->recording_path, writes the outputs. Returns the exit status. */
int replay(const struct options *options);

#endif
