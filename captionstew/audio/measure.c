/* What measure.py makes of the samples of a clip and of the sums over its spectra, but for logarithms. */

#include <stdint.h>

/* As in spectra.py and measure.py. */
#define BINS 513
#define SILENT 1e-6f
#define BLOCK 6
#define STEP 2
#define RELATIVE_GATE 0.1
#define HELD 0.99

#ifdef __clang__
#define VECTORISED
#else
#define VECTORISED __attribute__((optimize("tree-vectorize")))
#endif

typedef struct {
    double peak, clipped, silent, energy, bin; /* as `Found` in measure.py, but numbers of samples and of frames */
} Found;

/* The furthest from 0 that a sample lies. */
VECTORISED static int farthest(const int16_t *pcm, int64_t count) {
    int16_t high = 0, low = 0;
    for (int64_t n = 0; n < count; n++) {
        high = pcm[n] > high ? pcm[n] : high;
        low = pcm[n] < low ? pcm[n] : low;
    }
    return high > -low ? high : -low;
}

/* Mean over the frames from `first` on of a block: of all of them where they make no more than one. */
static double block(const float *energies, int64_t first, int64_t frames) {
    const int64_t count = frames > BLOCK ? BLOCK : frames;
    double sum = 0;
    for (int64_t n = first; n < first + count; n++)
        sum += energies[n];
    return sum / count;
}

/* Mean of the blocks above `gate`; below 0 where there is none. */
static double gated(const float *energies, int64_t frames, double gate) {
    double sum = 0;
    int64_t count = 0;
    for (int64_t first = 0; first == 0 || first + BLOCK <= frames; first += STEP) {
        double one = block(energies, first, frames);
        if (one > gate)
            sum += one, count++;
    }
    return count ? sum / count : -1;
}

/* The sums `energies`, `weighted` and `bins` are of `frames` frames, the two former scaled, of `count` samples. */
void measured(const int16_t *pcm, int64_t count, const float *energies, const float *weighted, const double *bins,
              int64_t frames, double absolute_gate, Found *found) {
    *found = (Found){.peak = farthest(pcm, count)};
    for (int64_t n = 0; found->peak >= 32767 && n < count; n++)
        found->clipped += pcm[n] == 32767 || pcm[n] <= -32767;
    for (int64_t n = 0; n < frames; n++)
        found->silent += energies[n] < SILENT;
    double all = gated(weighted, frames, absolute_gate), relative = all * RELATIVE_GATE, total = 0, sum = 0;
    found->energy = all < 0 ? all : gated(weighted, frames, relative > absolute_gate ? relative : absolute_gate);
    for (int k = 1; k < BINS; k++)
        total += bins[k];
    for (int k = 1; total > 0 && k < BINS && !found->bin; k++)
        found->bin = (sum += bins[k]) >= HELD * total ? k : 0;
}
