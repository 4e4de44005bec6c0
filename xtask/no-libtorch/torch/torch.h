// Found only where libtorch's own headers are not: .cargo/config.toml adds this folder behind them.
// A header that is missing is the one error that ends a compiler's work at once.
#include "there is no libtorch in .libtorch or LIBTORCH. Run: cargo xtask libtorch"
