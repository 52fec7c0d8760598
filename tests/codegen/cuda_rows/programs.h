#pragma once
// Programs of kernels that wait for memory: what the CUDA tests and their benchmark record.

#include <functional>
#include <string>
#include <vector>

#include <tessera/core/buffer.h>
#include <tessera/core/program.h>
#include <tessera/core/tensor.h>

namespace tessera::testing {

// Makes the data of one input: its name, dtype and shape.
using MakeInput = std::function<Tensor(const std::string&, DType, const Shape&)>;

struct RowProgram {
  std::string name;
  Program program;
  std::vector<BufferPtr> arguments;
  std::vector<Tensor> results;
};

// Rows of the table that "embedding_backward" gives the gradient of.
int64_t vocabulary(int64_t rows);
class Draw;
// Data that a program of this input can work on: positive where it must be, labels that lie inside.
Tensor random_input(Draw& draw, const std::string& name, DType dtype, const Shape& shape);

// The program of what `record` makes of the inputs that it asks for.
RowProgram recorded_program(const std::string& name, const MakeInput& make,
                            const std::function<std::vector<Tensor>(const MakeInput&)>& record);

// "layer_norm", "layer_norm_backward", "rms_norm", …: each on [rows, columns] of `dtype`, AdamW on as many f32 values.
const std::vector<std::string>& row_program_names();
RowProgram row_program(const std::string& name, int64_t rows, int64_t columns, DType dtype, const MakeInput& make);
// "adamw" for parameters of so many elements each.
RowProgram adamw_program(const std::vector<int64_t>& sizes, const MakeInput& make);

}  // namespace tessera::testing
