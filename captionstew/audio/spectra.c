/* Sums over the spectra of a clip's frames, as measure.py wants them: 16 frames at once, in the lanes of registers.

   Two real frames make one complex signal of 1,024 points; five steps in fours transform it in place and leave its
   frequencies in the order of their digits, turned round. Loops and shuffles are written for registers of eight floats. */

#include <stdint.h>
#include <string.h>

#define FRAME 1024
#define BINS (FRAME / 2 + 1)
#define LANES 8
#define GROUP (2 * LANES) /* frames */
#define INLINE static inline __attribute__((always_inline))

typedef float Lanes __attribute__((vector_size(4 * LANES)));
typedef int16_t Samples __attribute__((vector_size(2 * LANES), aligned(2)));
#ifdef __clang__
#define SHUFFLED(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int32_t Places __attribute__((vector_size(4 * LANES)));
#define SHUFFLED(a, b, ...) __builtin_shuffle(a, b, (Places){__VA_ARGS__})
#endif

/* Rows become columns. */
INLINE void turned(Lanes x[LANES]) {
    Lanes y[LANES];
    for (int i = 0; i < LANES; i += 2) {
        y[i] = SHUFFLED(x[i], x[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        y[i + 1] = SHUFFLED(x[i], x[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int i = 0; i < LANES; i += 4)
        for (int j = i; j < i + 2; j++) {
            x[j] = SHUFFLED(y[j], y[j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            x[j + 2] = SHUFFLED(y[j], y[j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int j = 0; j < 4; j++) {
        y[j] = SHUFFLED(x[j], x[j + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        y[j + 4] = SHUFFLED(x[j], x[j + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    memcpy(x, y, sizeof y);
}

/* Every second of the `count` frames from the first on, a frame a lane; zeros where there is none. */
static void loaded(const int16_t *pcm, int64_t count, Lanes *out) {
    for (int n = 0; n < FRAME; n += LANES) {
        Lanes rows[LANES];
        for (int lane = 0; lane < LANES; lane++)
            rows[lane] = 2 * lane < count
                             ? __builtin_convertvector(*(const Samples *)(pcm + 2 * lane * FRAME + n), Lanes)
                             : (Lanes){0};
        turned(rows);
        memcpy(out + n, rows, sizeof rows);
    }
}

/* All transforms of `size` points: each becomes four of a quarter. `twiddles`: for each n < size / 4 the cosine and
   the sine of points 1 to 3. */
INLINE void fours(Lanes *re, Lanes *im, int size, const float *twiddles) {
    const int quarter = size / 4;
    for (int begin = 0; begin < FRAME; begin += size) {
        const float *w = twiddles;
        for (int n = begin; n < begin + quarter; n++, w += 6) {
            Lanes a = re[n], b = re[n + quarter], c = re[n + 2 * quarter], d = re[n + 3 * quarter];
            Lanes e = im[n], f = im[n + quarter], g = im[n + 2 * quarter], h = im[n + 3 * quarter];
            Lanes ac = a + c, bd = b + d, eg = e + g, fh = f + h;
            Lanes a_c = a - c, b_d = b - d, e_g = e - g, f_h = f - h;
            Lanes x1 = a_c + f_h, y1 = e_g - b_d, x2 = ac - bd, y2 = eg - fh, x3 = a_c - f_h, y3 = e_g + b_d;
            re[n] = ac + bd;
            im[n] = eg + fh;
            if (quarter == 1) {
                re[n + 1] = x1, im[n + 1] = y1, re[n + 2] = x2, im[n + 2] = y2, re[n + 3] = x3, im[n + 3] = y3;
                continue;
            }
            re[n + quarter] = x1 * w[0] - y1 * w[1];
            im[n + quarter] = x1 * w[1] + y1 * w[0];
            re[n + 2 * quarter] = x2 * w[2] - y2 * w[3];
            im[n + 2 * quarter] = x2 * w[3] + y2 * w[2];
            re[n + 3 * quarter] = x3 * w[4] - y3 * w[5];
            im[n + 3 * quarter] = x3 * w[5] + y3 * w[4];
        }
    }
}

/* Of each frame: its energy, times `scale`, and its energy with the weights of bins; of each bin: its energy in all
   frames; the sum of all samples. What is summed for bins is four times the square of what the transform gives.
   `twiddles`: of sizes 1024, 256, 64, 16 and 4, end to end; `place`: where each frequency stands. */
double spectra(const int16_t *pcm, int64_t count, const float *twiddles, const int32_t *place, const float *weights,
               float scale, float *energies, float *weighted, double *bins) {
    static const int sizes[] = {1024, 256, 64, 16, 4};
    Lanes re[FRAME], im[FRAME], all[BINS] = {{0}};
    double sum = 0;
    for (int64_t first = 0; first < count; first += GROUP) {
        const int16_t *begin = pcm + first * FRAME;
        int64_t left = count - first;
        loaded(begin, left, re);
        loaded(begin + FRAME, left - 1, im);
        const float *w = twiddles;
        fours(re, im, sizes[0], w), w += 6 * sizes[0] / 4;
        fours(re, im, sizes[1], w), w += 6 * sizes[1] / 4;
        fours(re, im, sizes[2], w), w += 6 * sizes[2] / 4;
        fours(re, im, sizes[3], w), w += 6 * sizes[3] / 4;
        fours(re, im, sizes[4], w);
        Lanes flat[2] = {{0}}, heard[2] = {{0}};
        for (int k = 0; k < BINS; k++) {
            int at = place[k], mirror = place[(FRAME - k) % FRAME];
            Lanes r = re[at] + re[mirror], i = im[at] - im[mirror];
            Lanes s = im[at] + im[mirror], j = re[mirror] - re[at];
            Lanes one = r * r + i * i, other = s * s + j * j;
            float both = k == 0 || k == FRAME / 2 ? 1 : 2; /* a bin stands for its mirror image too */
            flat[0] += one * both, flat[1] += other * both;
            heard[0] += one * weights[k], heard[1] += other * weights[k];
            all[k] += one + other;
        }
        for (int frame = 0; frame < GROUP && frame < left; frame++) {
            sum += (frame % 2 ? im : re)[place[0]][frame / 2];
            energies[first + frame] = flat[frame % 2][frame / 2] * scale;
            weighted[first + frame] = heard[frame % 2][frame / 2];
        }
    }
    for (int k = 0; k < BINS; k++) {
        double of_bin = 0;
        for (int lane = 0; lane < LANES; lane++)
            of_bin += all[k][lane];
        bins[k] = of_bin / 4;
    }
    return sum;
}
