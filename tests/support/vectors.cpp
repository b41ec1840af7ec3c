#include "support/vectors.hpp"

const std::string vectors_folder = BUSBAR_VECTORS;
