#include <tessera/codegen/cpu/key.h>

#include <link.h>

#include <cstring>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

#include <tessera/codegen/cpu/form.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

std::string blake3_hex(std::string_view bytes) {
  auto digest =
      llvm::BLAKE3::hash<32>(llvm::ArrayRef<uint8_t>(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  return llvm::toHex(llvm::ArrayRef<uint8_t>(digest), /*LowerCase=*/true);
}

namespace {

// The GNU build id note of the object that holds this code.
int find_build_id(dl_phdr_info* info, size_t, void* out) {
  auto here = reinterpret_cast<uintptr_t>(&find_build_id);
  bool ours = false;
  for (int k = 0; k < info->dlpi_phnum; ++k) {
    const auto& segment = info->dlpi_phdr[k];
    uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    ours |= segment.p_type == PT_LOAD && here >= begin && here < begin + segment.p_memsz;
  }
  if (!ours) return 0;
  for (int k = 0; k < info->dlpi_phnum; ++k) {
    const auto& segment = info->dlpi_phdr[k];
    if (segment.p_type != PT_NOTE) continue;
    const char* at = reinterpret_cast<const char*>(info->dlpi_addr + segment.p_vaddr);
    const char* end = at + segment.p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof note);
      const char* name = at + sizeof note;
      const char* text = name + (note.n_namesz + 3) / 4 * 4;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
        *static_cast<std::string*>(out) = llvm::toHex(llvm::StringRef(text, note.n_descsz), true);
        return 1;
      }
      at = text + (note.n_descsz + 3) / 4 * 4;
    }
  }
  return 1;
}

void print_type(llvm::raw_ostream& out, mlir::Type type) {
  if (auto tensor = mlir::dyn_cast<mlir::RankedTensorType>(type)) {
    out << "whole" << tensor.getRank() << tensor.getElementType();  // extents are parameters
  } else {
    out << type;
  }
}

bool is_parameter(mlir::Operation& op, llvm::StringRef attribute) {
  return (mlir::isa<fuse::ReduceOp>(op) && attribute == "over") ||
         (mlir::isa<fuse::IndexOp>(op) && attribute == "map") ||
         (mlir::isa<fuse::RandomOp>(op) && attribute == "stream");
}

}  // namespace

const std::string& library_build_id() {
  static const std::string id = [] {
    std::string found;
    dl_iterate_phdr(find_build_id, &found);
    return found.empty() ? std::string(TESSERA_VERSION) : found;
  }();
  return id;
}

std::string body_text(const Form& form) {
  std::string text;
  llvm::raw_string_ostream out(text);
  llvm::DenseMap<mlir::Value, int> number;
  for (mlir::BlockArgument argument : form.body->getArguments()) {
    number.try_emplace(argument, static_cast<int>(number.size()));
    print_type(out, argument.getType());
    out << ' ';
  }
  out << '\n';
  for (mlir::Operation& op : *form.body) {
    out << op.getName();
    for (mlir::Value operand : op.getOperands()) out << " %" << number.lookup(operand);
    for (mlir::NamedAttribute attribute : op.getAttrDictionary()) {
      if (!is_parameter(op, attribute.getName()))
        out << ' ' << attribute.getName().strref() << '=' << attribute.getValue();
    }
    for (mlir::Value result : op.getResults()) {
      number.try_emplace(result, static_cast<int>(number.size()));
      out << " : ";
      print_type(out, result.getType());
    }
    out << '\n';
  }
  return text;
}

std::string row_kernel_key(const Form& form, const Target& target) {
  // The name is part of it: the function in a cached object is called after it.
  return blake3_hex("rows\n" + form.name + "\n" + library_build_id() + "\n" + target.key() + "\n" + kernel_class(form) +
                    "\n" + body_text(form));
}

}  // namespace tessera::codegen
