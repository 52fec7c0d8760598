// {fmt}, compiled once. Its header-only form costs every source that formats 3 seconds, and Debian's libfmt.so would be one
// more library that an installed Tessera asks for. The instantiations are those that <fmt/format.h> declares extern.

#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {

template thousands_sep_result<char> thousands_sep_impl<char>(locale_ref);
template char decimal_point_impl<char>(locale_ref);

}  // namespace detail
FMT_END_NAMESPACE
