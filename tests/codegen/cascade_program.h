#pragma once
// A program of one fuse.cascade: its text, and runs of its tasks on a pool of a given size.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tessera/core/buffer.h>

namespace tessera::test {

struct CascadeOperand {
  std::string element;           // "f32"
  int64_t size = 0;              // elements
  std::vector<int64_t> strides;  // per dim
  std::string map;               // in d0, d1, …; instead of strides
};

struct CascadeSpec {
  std::vector<int64_t> dims;
  int64_t batch = 0, stream = 1;
  std::vector<CascadeOperand> ins, outs;
  std::string body;  // of block arguments %x0, %x1, …; ends in fuse.yield

  std::string text() const;
};

// `fuse.repair` of `accumulated` by the maximum `by`, both f32: times exp(old − new).
std::string repair_by_max(const std::string& accumulated, const std::string& by);

// Softmax attention of batch × [rows, depth] queries on [columns, depth] keys. Results: values, and the logarithm of the
// sum of each row if `lse`. `mask`: lines that make the f32 score %x of %s. Elements are of type `element`.
struct AttentionShape {
  int64_t batch = 1, rows = 1, columns = 1, depth = 1, values = 1;
};
CascadeSpec attention(const AttentionShape& shape, const std::string& element = "f32", bool lse = true,
                      const std::string& mask = "");
// Gradients from q, k, v, dy, the saved lse[row] and Σ y·dy [row]: of q, row by row; of k and v, column by column.
CascadeSpec attention_dq(const AttentionShape& shape, const std::string& mask = "");
CascadeSpec attention_dkv(const AttentionShape& shape, const std::string& mask = "");

class CascadeProgram {
 public:
  explicit CascadeProgram(const std::string& text);
  ~CascadeProgram();

  // Scratch holds NaN before each run: what a task reads it has written.
  std::vector<BufferPtr> run(const std::vector<BufferPtr>& arguments, int threads);
  // Kept memory; for timing.
  void prepare(const std::vector<BufferPtr>& arguments, int threads);
  void run_prepared();

  int64_t launches() const;  // 2: the stream is split
  std::string plan_text() const;
  double flops() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera::test
