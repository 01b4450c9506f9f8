/* The words of an acoustic fingerprint, bit for bit as fingerprint_words.py makes them, thirty times as fast.

   Every sum of floats is in the same order there and here, and no product is fused with a sum; the low-pass counts in
   integers. What runs side by side in the lanes of a register are words of one clip, never parts of a sum, so that it
   does not matter how wide registers are. */

#include <float.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#if FLT_EVAL_METHOD != 0
#error "sums must be rounded as numpy rounds them"
#endif

#define INLINE static inline __attribute__((always_inline))

#ifdef __AVX2__
#define LANES 8 /* words at once: what one register holds */
#else
#define LANES 4
#endif
#define FRAME 512
#define HOP 128
#define PACE (2 * HOP)                          /* samples from word to word */
#define MORE (FRAME + HOP - PACE)               /* samples that a word takes beyond them */
#define SPAN (LANES * PACE + MORE)              /* samples of `LANES` words */
#define COLUMNS (LANES + (MORE + PACE - 1) / PACE)
#define BANDS 33
#define LAG 6

typedef float Lanes __attribute__((vector_size(4 * LANES)));
typedef float Unaligned __attribute__((vector_size(4 * LANES), aligned(4)));

typedef struct {
    Lanes re, im;
} Complex;

/* As `Tables` in fingerprint_words.py. */
typedef struct {
    const int16_t *taps;
    const float *window, *twiddles, *weights; /* (FRAME,); for each size, n and k: cos, sin; of all bands end to end */
    const int32_t *bins;                      /* (BANDS, 2): the first of each band, and behind its last */
    int32_t num_taps, step;
    float gate, floor;
} Tables;

/* `count` samples (a multiple of 4) of the low rate, from its sample `first` on. */
static void low_passed(const int16_t *pcm, const Tables *t, int64_t first, int count, float *out) {
    const int16_t *taps = t->taps;
    const int step = t->step, num_taps = t->num_taps;
    pcm += first * step;
#ifdef __SSE2__
    for (int n = 0; n < count; n += 4, pcm += 4 * step) {
        __m128i sums[4] = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
        for (int k = 0; k < num_taps; k += 8) {
            __m128i tap = _mm_loadu_si128((const __m128i *)(taps + k));
            for (int i = 0; i < 4; i++) {
                __m128i here = _mm_loadu_si128((const __m128i *)(pcm + i * step + k));
                sums[i] = _mm_add_epi32(sums[i], _mm_madd_epi16(here, tap));
            }
        }
        __m128i a = _mm_add_epi32(_mm_unpacklo_epi32(sums[0], sums[1]), _mm_unpackhi_epi32(sums[0], sums[1]));
        __m128i b = _mm_add_epi32(_mm_unpacklo_epi32(sums[2], sums[3]), _mm_unpackhi_epi32(sums[2], sums[3]));
        __m128i all = _mm_add_epi32(_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b));
        _mm_storeu_ps(out + n, _mm_cvtepi32_ps(all));
    }
#else
    for (int n = 0; n < count; n++, pcm += step) {
        int32_t sum = 0;
        for (int k = 0; k < num_taps; k++)
            sum += taps[k] * pcm[k];
        out[n] = (float)sum;
    }
#endif
}

INLINE Complex plus(Complex a, Complex b) { return (Complex){a.re + b.re, a.im + b.im}; }
INLINE Complex minus(Complex a, Complex b) { return (Complex){a.re - b.re, a.im - b.im}; }
INLINE Complex turned(Complex a, const float *w) {
    return (Complex){a.re * w[0] - a.im * w[1], a.re * w[1] + a.im * w[0]};
}

/* Four points `apart` from each other, in place; `w`: the twiddles of points 1 to 3. */
INLINE void butterfly(Complex a, Complex b, Complex c, Complex d, Complex *out, int apart, const float *w) {
    Complex s = plus(a, c), t = plus(b, d), u = minus(a, c), v = minus(b, d);
    Complex left = {u.re + v.im, u.im - v.re}, right = {u.re - v.im, u.im + v.re};
    out[0] = plus(s, t);
    out[apart] = turned(left, w);
    out[2 * apart] = turned(minus(s, t), w + 2);
    out[3 * apart] = turned(right, w + 4);
}

/* All sub-transforms of `size` in `count` points. */
INLINE void pass(Complex *points, int count, int size, const float *w) {
    const int apart = size / 4;
    for (int n = 0; n < apart; n++, w += 6)
        for (Complex *at = points + n; at < points + count; at += size)
            butterfly(at[0], at[apart], at[2 * apart], at[3 * apart], at, apart, w);
}

/* The last eight points: squared magnitudes, in the order in which they lie. */
INLINE void last_pass(Complex *at, const float *w, Lanes *power) {
    for (int n = 0; n < 2; n++)
        butterfly(at[n], at[n + 2], at[n + 4], at[n + 6], at + n, 2, w + 6 * n);
    for (int n = 0; n < 8; n += 2) {
        Complex sum = plus(at[n], at[n + 1]), difference = minus(at[n], at[n + 1]);
        power[n] = sum.re * sum.re + sum.im * sum.im;
        power[n + 1] = difference.re * difference.re + difference.im * difference.im;
    }
}

/* Where frequency `k` lies after all passes. */
INLINE int place(int k) { return (k & 3) << 7 | (k >> 2 & 3) << 5 | (k >> 4 & 3) << 3 | (k >> 6 & 3) << 1 | k >> 8; }

/* Energies of both frames of `LANES` words together: one is the real part of what is transformed, one the imaginary,
   and the squares at a frequency and at its negative are twice the sum of theirs. */
static void energies(const float *low, const Tables *t, float *out, int count) {
    float column[PACE][COLUMNS];
    Complex points[FRAME];
    Lanes power[FRAME], sums[FRAME / 2 + 1];
    for (int c = 0; c < COLUMNS; c++)
        for (int r = 0; r < PACE && c * PACE + r < SPAN; r++)
            column[r][c] = low[c * PACE + r];
    const float *w = t->twiddles;
    for (int n = 0; n < HOP; n++, w += 6) {
        Lanes sample[5];
        Complex point[4];
        for (int i = 0; i < 5; i++)
            sample[i] = *(const Unaligned *)&column[(n + i * HOP) % PACE][(n + i * HOP) / PACE];
        for (int i = 0; i < 4; i++)
            point[i] = (Complex){sample[i] * t->window[n + i * HOP], sample[i + 1] * t->window[n + i * HOP]};
        butterfly(point[0], point[1], point[2], point[3], points + n, HOP, w);
    }
    for (int part = 0; part < FRAME; part += HOP) {
        pass(points + part, HOP, HOP, w);
        pass(points + part, HOP, HOP / 4, w + 6 * HOP / 4);
        for (int at = part; at < part + HOP; at += 8)
            last_pass(points + at, w + 6 * (HOP / 4 + HOP / 16), power + at);
    }
    for (int k = t->bins[0]; k < t->bins[2 * BANDS - 1]; k++)
        sums[k] = power[place(k)] + power[place((FRAME - k) % FRAME)];
    const float *weight = t->weights;
    for (int band = 0; band < BANDS; band++) {
        Lanes sum = {0};
        for (int k = t->bins[2 * band]; k < t->bins[2 * band + 1]; k++)
            sum += sums[k] * *weight++;
        for (int lane = 0; lane < count; lane++)
            out[lane * BANDS + band] = sum[lane];
    }
}

/* Energies (count, BANDS) become sums over three words. */
INLINE int64_t summed(float *bands, int64_t count) {
    for (int64_t n = 0; n < (count - 2) * BANDS; n++)
        bands[n] = bands[n] + bands[n + BANDS] + bands[n + 2 * BANDS];
    return count - 2;
}

static void words_of(float *bands, int64_t count, const Tables *t, uint32_t *words) {
    float loudest = 0, before[LAG] = {0};
    count = summed(bands, summed(bands, count));
    for (int pass = 0; pass < 2; pass++) /* the loudest word decides which ones are silent */
        for (int64_t n = 0; n < count; n++) {
            const float *now = bands + n * BANDS, *then = now - LAG * BANDS;
            float level = now[0], higher;
            for (int band = 1; band < BANDS; band++)
                level += now[band];
            higher = level > before[n % LAG] ? level : before[n % LAG];
            before[n % LAG] = level;
            if (n < LAG)
                continue;
            if (!pass) {
                loudest = higher > loudest ? higher : loudest;
                continue;
            }
            uint32_t word = 0;
            for (int band = 0; band < BANDS - 1; band++)
                word = word << 1 | (now[band] - now[band + 1] > then[band] - then[band + 1]);
            float least = t->gate * loudest;
            words[n - LAG] = higher <= (least > t->floor ? least : t->floor) ? 0 : word;
        }
}

/* `count` words' energies go to `bands` (count, BANDS), and count - 4 - LAG words to `words`; `pcm` holds
   step * (PACE * count + MORE - 1) + num_taps samples or more. */
void fingerprint(const int16_t *pcm, const Tables *t, int64_t count, float *bands, uint32_t *words) {
    float low[SPAN] = {0};
    const int64_t total = PACE * count + MORE;
    for (int64_t first = 0; first < count; first += LANES) {
        const int known = first ? MORE : 0;
        const int64_t left = total - first * PACE;
        memmove(low, low + SPAN - known, known * sizeof *low);
        low_passed(pcm, t, first * PACE + known, (left < SPAN ? left : SPAN) - known, low + known);
        energies(low, t, bands + first * BANDS, count - first < LANES ? count - first : LANES);
    }
    words_of(bands, count, t, words);
}
