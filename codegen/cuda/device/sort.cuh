#pragma once
// Stable sorts by digits, the last digit first: of 8 bits, or of up to 6 where a block holds a row of small keys. A key is an
// unsigned integer that orders like its value: NaN last, −0 beside 0. Counting is integer arithmetic, so the order in which threads count does not matter.

#include "elements.cuh"

namespace tessera {

constexpr int digits = 256;        // values of a digit
constexpr int sort_threads = 256;  // of a block: one for each value of a digit
constexpr int sort_warps = sort_threads / 32;

// ---- keys ----

template <class T> struct KeyOf { using type = typename UnsignedOf<T>::type; };
template <> struct KeyOf<bool> { using type = u8; };
template <> struct KeyOf<u8> { using type = u8; };
template <> struct KeyOf<u32> { using type = u32; };
template <> struct KeyOf<bf16> { using type = u16; };
template <> struct KeyOf<f16> { using type = u16; };
template <> struct KeyOf<float> { using type = u32; };
template <> struct KeyOf<double> { using type = u64; };
template <class T> using Key = typename KeyOf<T>::type;

template <bool descending, class K> TESSERA_DEVICE K key_of_real(K bits, K infinite) {
  constexpr K sign = static_cast<K>(K(1) << (8 * sizeof(K) - 1));
  const K size = static_cast<K>(bits & static_cast<K>(~sign));
  if (size > infinite) return static_cast<K>(~K(0));  // NaN
  const K key = size == 0 ? sign : bits & sign ? static_cast<K>(~bits) : static_cast<K>(bits | sign);
  return descending ? static_cast<K>(~key) : key;
}
template <bool descending> TESSERA_DEVICE u16 key_of(bf16 x) { return key_of_real<descending, u16>(x.bits, 0x7f80); }
template <bool descending> TESSERA_DEVICE u16 key_of(f16 x) { return key_of_real<descending, u16>(x.bits, 0x7c00); }
template <bool descending> TESSERA_DEVICE u32 key_of(float x) {
  return key_of_real<descending, u32>(__builtin_bit_cast(u32, x), 0x7f800000u);
}
template <bool descending> TESSERA_DEVICE u64 key_of(double x) {
  return key_of_real<descending, u64>(__builtin_bit_cast(u64, x), 0x7ff0000000000000ull);
}
template <bool descending, class T> TESSERA_DEVICE Key<T> key_of(T x) {
  constexpr bool is_signed = T(-1) < T(0);
  constexpr Key<T> sign = is_signed ? static_cast<Key<T>>(Key<T>(1) << (8 * sizeof(T) - 1)) : Key<T>(0);
  const Key<T> key = static_cast<Key<T>>(static_cast<Key<T>>(x) ^ sign);
  return descending ? static_cast<Key<T>>(~key) : key;
}

template <class K> TESSERA_DEVICE int digit_of(K key, int pass) { return static_cast<int>(key >> (8 * pass)) & 255; }

// ---- a block sorts what it holds ----

// Which lanes have the same digit.
TESSERA_DEVICE u32 lanes_with(int digit) {
  u32 lanes = 0xffffffff;
#pragma unroll
  for (int bit = 0; bit < 8; ++bit) {
    const bool is_set = (digit >> bit & 1) != 0;
    const u32 set = __ballot_sync(0xffffffff, is_set);
    lanes &= is_set ? set : ~set;
  }
  return lanes;
}

// How a block's elements are held: element `item` of a thread stands at this place among them.
template <int items> TESSERA_DEVICE int place_of(int item) {
  return static_cast<int>(threadIdx.x / 32) * 32 * items + item * 32 + lane();
}

struct Ranking {
  u16 of_warp[sort_warps][digits];  // how many a warp has; then how many the warps before it have
  int start[digits];                // how many elements have a smaller digit
  int slots[sort_warps];
};

// ranks[item]: where the element goes when the block's elements are sorted by `digit`, equal ones in their order.
template <int items> TESSERA_DEVICE void rank_digits(Ranking& r, const int (&digit)[items], int (&ranks)[items]) {
  const int warp = static_cast<int>(threadIdx.x / 32);
  for (int d = lane(); d < digits; d += 32) r.of_warp[warp][d] = 0;
  __syncwarp();
#pragma unroll
  for (int item = 0; item < items; ++item) {
    const u32 same = lanes_with(digit[item]);
    const int before = r.of_warp[warp][digit[item]];
    const int lower = __popc(same & ((1u << lane()) - 1));
    __syncwarp();
    if (lower == 0) r.of_warp[warp][digit[item]] = static_cast<u16>(before + __popc(same));
    ranks[item] = before + lower;
    __syncwarp();
  }
  __syncthreads();
  int count = 0, all;  // of the digit with this thread's number
#pragma unroll
  for (int w = 0; w < sort_warps; ++w) {
    const int here = r.of_warp[w][threadIdx.x];
    r.of_warp[w][threadIdx.x] = static_cast<u16>(count);
    count += here;
  }
  r.start[threadIdx.x] = before_thread<Sum, sort_threads>(count, all, r.slots);
  __syncthreads();
#pragma unroll
  for (int item = 0; item < items; ++item) ranks[item] += r.start[digit[item]] + r.of_warp[warp][digit[item]];
}

// Keys and where they were, sorted by the digits of `passes` passes. The same place twice is no place: what fills up a
// block has the largest key and comes last.
template <class K, int items, int passes>
TESSERA_DEVICE void sort_block(Ranking& ranking, K (&keys)[items * sort_threads], u16 (&places)[items * sort_threads],
                               K (&key)[items], u16 (&place)[items]) {
#pragma unroll 1
  for (int pass = 0; pass < passes; ++pass) {
    int digit[items], ranks[items];
#pragma unroll
    for (int item = 0; item < items; ++item) digit[item] = digit_of(key[item], pass);
    rank_digits<items>(ranking, digit, ranks);
#pragma unroll
    for (int item = 0; item < items; ++item) {
      keys[ranks[item]] = key[item];
      places[ranks[item]] = place[item];
    }
    __syncthreads();
#pragma unroll
    for (int item = 0; item < items; ++item) {
      key[item] = keys[place_of<items>(item)];
      place[item] = places[place_of<items>(item)];
    }
    __syncthreads();
  }
}

// ---- rows that a block holds ----

// The place of each element of a short lane by counting what comes before it: a thread has one element.
template <bool descending, class T>
TESSERA_DEVICE int place_by_counting(const T* lane_of_x, int extent, i64 stride, int mine) {
  const Key<T> key = key_of<descending>(lane_of_x[mine * stride]);
  int before = 0;
#pragma unroll 4
  for (int i = 0; i < extent; ++i) {
    const Key<T> other = key_of<descending>(lane_of_x[i * stride]);
    before += other < key || (other == key && i < mine);
  }
  return before;
}

// Keys of up to 4 bytes: a key and its place are one integer, and each thread counts the digits of neighbours that it
// holds, in counters of its own: half a word for each digit.
constexpr int row_threads = 128, most_digit_bits = 6;

template <class K> struct PlacedKey { using type = u32; };
template <> struct PlacedKey<u32> { using type = u64; };

// A row of 64 words for each digit. Threads t and t + 64 share one, so a digit alone says which row, and threads that count
// read different banks. Every second 32 words are exchanged by 16 bytes (place_of): then threads that take neighbours read
// different banks too.
struct DigitCounters {
  static constexpr int log2_row = 8;  // bytes
  alignas(16) u8 bytes[1 << (most_digit_bits + log2_row)];
  static TESSERA_DEVICE u32 place_of(u32 byte) { return byte ^ (byte >> 3 & 16); }
  TESSERA_DEVICE u32& word(u32 place) { return *reinterpret_cast<u32*>(bytes + place); }
  TESSERA_DEVICE u16& half(u32 place) { return *reinterpret_cast<u16*>(bytes + place); }
  TESSERA_DEVICE Vector<u32, 4>& words(u32 place) { return *reinterpret_cast<Vector<u32, 4>*>(bytes + place); }
};

// A copy of which the compiler knows nothing: what follows from it is computed again, and takes no register until then.
TESSERA_DEVICE u32 anew(u32 x) {
  asm volatile("" : "+r"(x));
  return x;
}
TESSERA_DEVICE u64 anew(u64 x) {
  asm volatile("" : "+l"(x));
  return x;
}

// Sums of words before this thread's, halves apart, of one set of words after the other.
template <int sets>
TESSERA_DEVICE void counts_before(const u32 (&counts)[sets], u32 (&before)[sets], u32 (&slots)[2][row_threads / 32]) {
#pragma unroll
  for (int set = 0; set < sets; ++set) {
    const u32 here = anew(static_cast<u32>(lane()));
    before[set] = counts[set];
#pragma unroll
    for (u32 distance = 1; distance < 32; distance *= 2) {
      const u32 below = of_lane_below(before[set], static_cast<int>(distance));
      if (here >= distance) before[set] += below;
    }
    if (here == 31) slots[set][threadIdx.x / 32] = before[set];
  }
  __syncthreads();
  u32 all = 0;
#pragma unroll
  for (int set = 0; set < sets; ++set) {
    u32 of_warps = 0;
#pragma unroll
    for (int warp = 0; warp < row_threads / 32; ++warp) {
      if (warp == static_cast<int>(threadIdx.x / 32)) of_warps = all;
      all += slots[set][warp];
    }
    before[set] += of_warps - counts[set];
  }
}

// Elements in their order, `items` of each thread, whose first ones lie an odd number of elements apart.
template <class P, int items> struct InOrder {
  static constexpr int gap = 1 - items % 2;
  P elements[(items + gap) * row_threads];
  TESSERA_DEVICE P& at(u32 k) { return elements[k + gap * (k / items)]; }
  TESSERA_DEVICE P& of_thread(int i) { return elements[static_cast<int>(threadIdx.x) * (items + gap) + i]; }
};

// Places in their order. Those of neighbouring threads, and of neighbours among all, lie in different banks.
template <int items> struct SortedPlaces {
  alignas(128) u16 places[(items * row_threads + 63) / 64 * 64];
  TESSERA_DEVICE u16& at(u32 k) { return places[k ^ (k >> 5 & 30)]; }
};

// Elements of 8 bytes take the place of the counters when they move, those of 4 bytes have one of their own. After the last pass
// only the places of elements move, into `sorted`.
template <class P, int items> struct CountersBeside {
  static constexpr bool is_apart = true;
  DigitCounters counters;
  union {
    InOrder<P, items> row;
    SortedPlaces<items> sorted;
  };
  TESSERA_DEVICE CountersBeside() {}
};
template <class P, int items> union CountersOrRow {
  static constexpr bool is_apart = false;
  DigitCounters counters;
  InOrder<P, items> row;
  SortedPlaces<items> sorted;
  TESSERA_DEVICE CountersOrRow() {}
};
template <class P, int items> struct SortedRowOf { using type = CountersBeside<P, items>; };
template <int items> struct SortedRowOf<u64, items> { using type = CountersOrRow<u64, items>; };

// Sorts by the `left` bits from bit `shift` on, least first. Thread t has elements t * items to t * items + items - 1. The places
// of the sorted elements, where they were before the first pass, are their lower 16 bits.
template <int shift, int left, int items, class Held, class P>
TESSERA_DEVICE void sort_by_digits(Held& held, u32 (&slots)[2][row_threads / 32], P (&element)[items]) {
  constexpr int passes = (left + most_digit_bits - 1) / most_digit_bits, bits = (left + passes - 1) / passes;
  constexpr bool is_last = passes == 1;
  constexpr int digits = 1 << bits, log2_row = DigitCounters::log2_row;
  constexpr int sets = digits > 32 ? digits / 32 : 1, words = digits / sets / 2;  // of a thread, to add up
  constexpr int lanes_of_row = 64 / words;
  static_assert(items < 256, "a byte counts the elements of a thread");
  const u32 t = threadIdx.x, column = DigitCounters::place_of(4 * (t % 64)), is_upper = t / 64;
  auto row_of = [&](P x) { return static_cast<u32>(x >> (shift - log2_row)) & ((digits - 1) << log2_row); };
#pragma unroll
  for (u32 k = 0; k < digits / 2; k += 4) held.counters.words((k << 9) + 16 * t) = {};
  __syncthreads();
  u32 before[(items + 3) / 4];  // how many of the digit this thread has before: a byte each
#pragma unroll
  for (int i = 0; i < items; ++i) {
    // An atomic, since two threads share the word; and where two digits may be one, loads would wait for stores.
    const u32 here = atomicAdd(&held.counters.word(row_of(anew(element[i])) | column), 1u << 16 * is_upper);
    const u32 byte = 4 + 2 * is_upper;  // of the word in front of `here`
    before[i / 4] =
        __byte_perm(i % 4 == 0 ? 0 : before[i / 4], here, byte << 4 * (i % 4) | (0x3210 & ~(15u << 4 * (i % 4))));
  }
  __syncthreads();
  // Words of neighbours; where 8 lanes have them of two rows, the second 16-byte pieces of every other row are read first.
  const bool is_turned = words == 16 && (t & 4) != 0;
  auto words_of = [&](int set, int k) -> Vector<u32, 4>& {
    const u32 first = static_cast<u32>(set * row_threads + static_cast<int>(t)) * 4 * words;
    return held.counters.words(DigitCounters::place_of(first) ^ (is_turned ? 32 : 0) ^ 4 * k);
  };
  constexpr bool keeps = sets == 1;  // where a thread has few of them, its counts stay in registers
  Vector<u32, 4> counts[keeps ? words / 4 : 1];
  u32 sum[sets], early[sets], start[sets];
#pragma unroll
  for (int set = 0; set < sets; ++set) {
    sum[set] = 0;
#pragma unroll
    for (int k = 0; k < words; k += 4) {
      Vector<u32, 4>& here = counts[keeps ? k / 4 : 0];
      here = words_of(set, k);
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[set] += here[i];
      if (k + 4 == words / 2) early[set] = sum[set];
    }
  }
  counts_before(sum, start, slots);
#pragma unroll
  for (int set = 0; set < sets; ++set) {
    // Threads of lower halves come first: behind what they have of this digit, and in front of what the upper ones have.
    const u32 of_row = __shfl_sync(0xffffffff, start[set], lane() & ~(lanes_of_row - 1)),
              of_next = __shfl_sync(0xffffffff, start[set] + sum[set], lane() | (lanes_of_row - 1));
    start[set] += (of_row >> 16) + (of_next << 16);
    u32 next = start[set] + (is_turned ? sum[set] - early[set] : 0);
#pragma unroll
    for (int k = 0; k < words; k += 4) {
      if (k == words / 2 && is_turned) next = start[set];
      Vector<u32, 4> here = keeps ? counts[k / 4] : words_of(set, k);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const u32 count = here[i];
        here[i] = next;
        next += count;
      }
      words_of(set, k) = here;
    }
  }
  __syncthreads();
  auto rank = [&](int i) {
    const u32 from = held.counters.half(row_of(anew(element[i])) | column | 2 * is_upper);
    return __dp4a(before[i / 4], 1u << 8 * (i % 4), from);
  };
  auto move = [&](u32 k, P x) {
    if constexpr (is_last) held.sorted.at(k) = static_cast<u16>(x);
    else held.row.at(k) = x;
  };
  if constexpr (Held::is_apart) {
#pragma unroll
    for (int i = 0; i < items; ++i) move(rank(i), element[i]);
  } else {
    u32 ranks[(items + 1) / 2];  // two in a word
#pragma unroll
    for (int i = 0; i < items; ++i) {
      const u32 here = rank(i);
      ranks[i / 2] = i % 2 == 0 ? here : ranks[i / 2] | here << 16;
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < items; ++i) move(ranks[i / 2] >> (16 * (i % 2)) & 0xffff, element[i]);
  }
  __syncthreads();
  if constexpr (!is_last) {
#pragma unroll
    for (int i = 0; i < items; ++i) element[i] = held.row.of_thread(i);
    if constexpr (!Held::is_apart) __syncthreads();
    sort_by_digits<shift + bits, left - bits, items>(held, slots, element);
  }
}

template <bool descending, int items, class T>
TESSERA_DEVICE void argsort_in_block(const T* x, i64 start, int extent, i64 stride, i64* order) {
  using P = typename PlacedKey<Key<T>>::type;
  __shared__ typename SortedRowOf<P, items>::type held;
  __shared__ u32 slots[2][row_threads / 32];
  const int t = static_cast<int>(threadIdx.x);
  const bool fills_block = extent == items * row_threads;
  auto placed = [](Key<T> key, int place) { return static_cast<P>(key) << 16 | static_cast<P>(place); };
  P element[items];
  constexpr int run = sizeof(T) < 2 ? 8 : 16 / sizeof(T);
  if (items % run == 0 && fills_block && stride == 1) {
    // A thread's elements are neighbours: it takes them by itself.
#pragma unroll
    for (int i = 0; i < items; ++i) {
      if (i % run != 0) continue;
      const Vector<T, run> values = load<run>(x + start + t * items + i);
#pragma unroll
      for (int k = 0; k < run && i + k < items; ++k)
        element[i + k] = placed(key_of<descending>(values[k]), t * items + i + k);
    }
  } else {
#pragma unroll 8
    for (int i = 0; i < items; ++i) {
      const int place = i * row_threads + t;
      const Key<T> key = fills_block || place < extent ? key_of<descending>(x[start + place * stride])
                                                       : static_cast<Key<T>>(~Key<T>(0));
      held.row.at(static_cast<u32>(place)) = placed(key, place);
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < items; ++i) element[i] = held.row.of_thread(i);
    __syncthreads();
  }
  sort_by_digits<16, 8 * sizeof(Key<T>), items>(held, slots, element);
  if (items % 2 == 0 && fills_block && stride == 1) {
#pragma unroll 8
    for (int rank = 2 * t; rank < items * row_threads; rank += 2 * row_threads) {
      const Vector<u16, 2> places = load<2>(&held.sorted.at(static_cast<u32>(rank)));
      store(order + start + rank, Vector<i64, 2>{{places[0], places[1]}});
    }
    return;
  }
#pragma unroll 8
  for (int rank = t; rank < items * row_threads; rank += row_threads)
    if (fills_block || rank < extent) order[start + rank * stride] = held.sorted.at(static_cast<u32>(rank));
}

// Keys of 8 bytes, by the digits of longer rows.
template <bool descending, int items, class T>
TESSERA_DEVICE void argsort_wide_in_block(const T* x, i64 start, int extent, i64 stride, i64* order) {
  __shared__ Ranking ranking;
  __shared__ Key<T> keys[items * sort_threads];
  __shared__ u16 places[items * sort_threads];
  Key<T> key[items];
  u16 place[items];
#pragma unroll
  for (int item = 0; item < items; ++item) {
    const int i = place_of<items>(item);
    key[item] = i < extent ? key_of<descending>(x[start + i * stride]) : static_cast<Key<T>>(~Key<T>(0));
    place[item] = static_cast<u16>(i);
  }
  sort_block<Key<T>, items, sizeof(Key<T>)>(ranking, keys, places, key, place);
#pragma unroll
  for (int item = 0; item < items; ++item)
    if (place_of<items>(item) < extent) order[start + place_of<items>(item) * stride] = place[item];
}

// ---- rows that several blocks hold: for each digit count, add up, move ----

// counts[digit][tile]: how many elements of the tile have the digit.
template <int items, class K>
TESSERA_DEVICE void count_digits(const K* keys, int extent, int tile, int tiles, int pass, int* counts) {
  __shared__ int of_digit[digits];
  of_digit[threadIdx.x] = 0;
  __syncthreads();
  const int begin = tile * items * sort_threads;
  for (int i = begin + static_cast<int>(threadIdx.x); i < min(begin + items * sort_threads, extent); i += sort_threads)
    atomicAdd(&of_digit[digit_of(keys[i], pass)], 1);
  __syncthreads();
  counts[static_cast<int>(threadIdx.x) * tiles + tile] = of_digit[threadIdx.x];
}

// counts[tile] of one digit become those of the tiles before; their sum goes to `total`.
TESSERA_DEVICE void add_up_counts(int* counts, int tiles, int* total) {
  __shared__ int slots[sort_warps];
  int carry = 0, all;
  for (int first = 0; first < tiles; first += sort_threads) {
    const int tile = first + static_cast<int>(threadIdx.x);
    const int before = before_thread<Sum, sort_threads>(tile < tiles ? counts[tile] : 0, all, slots);
    if (tile < tiles) counts[tile] = carry + before;
    carry += all;
  }
  if (threadIdx.x == 0) *total = carry;
}

// How many of the digit with this thread's number are in all tiles of the row, and in `before` in those before `tile`.
// Without `totals` the counts are not added up yet: few tiles are added up here.
TESSERA_DEVICE int total_of_digit(const int* counts, const int* totals, int tile, int tiles, int& before) {
  const int* of_digit = counts + static_cast<int>(threadIdx.x) * tiles;
  if (totals) {
    before = of_digit[tile];
    return totals[threadIdx.x];
  }
  int total = 0;
  for (int k = 0; k < tiles; ++k) {
    if (k == tile) before = total;
    total += of_digit[k];
  }
  return total;
}

// The tile's elements to their places in the row. `put(place, key, where it was in the row)` writes one. Without `places`
// an element was where it is.
template <int items, class K, class Put>
TESSERA_DEVICE void move_tile(const K* from_keys, const int* from_places, int extent, int tile, int tiles, int pass,
                              const int* counts, const int* totals, Put put) {
  __shared__ Ranking ranking;
  __shared__ K keys[items * sort_threads];
  __shared__ int places[items * sort_threads];
  __shared__ int first[digits];  // of each digit: its first place in the row less its first rank in the block
  const int begin = tile * items * sort_threads;
  K key[items];
  int place[items], digit[items], ranks[items], all;
#pragma unroll
  for (int item = 0; item < items; ++item) {
    const int i = begin + place_of<items>(item);
    key[item] = i < extent ? from_keys[i] : static_cast<K>(~K(0));
    place[item] = i < extent && from_places ? from_places[i] : i;
    digit[item] = digit_of(key[item], pass);
  }
  int before = 0;
  const int total = total_of_digit(counts, totals, tile, tiles, before);
  const int smaller = before_thread<Sum, sort_threads>(total, all, ranking.slots);
  rank_digits<items>(ranking, digit, ranks);
  first[threadIdx.x] = smaller + before - ranking.start[threadIdx.x];
#pragma unroll
  for (int item = 0; item < items; ++item) {
    keys[ranks[item]] = key[item];
    places[ranks[item]] = place[item];
  }
  __syncthreads();
#pragma unroll
  for (int item = 0; item < items; ++item) {
    const int rank = item * sort_threads + static_cast<int>(threadIdx.x);
    if (begin + rank < extent) put(first[digit_of(keys[rank], pass)] + rank, keys[rank], places[rank]);
  }
}

}  // namespace tessera
