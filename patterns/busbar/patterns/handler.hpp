/// From a callable to a handler, by its signature.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <busbar/patterns/request.hpp>

namespace busbar::detail {

using Handler = std::function<void(Request&&)>;

template <class F>
struct Signature : Signature<decltype(&F::operator())> {};
template <class Result, class... Arguments>
struct Signature<Result (*)(Arguments...)> {
  using Types = std::tuple<Arguments...>;
};
template <class Class, class Result, class... Arguments>
struct Signature<Result (Class::*)(Arguments...)> : Signature<Result (*)(Arguments...)> {};
template <class Class, class Result, class... Arguments>
struct Signature<Result (Class::*)(Arguments...) const> : Signature<Result (*)(Arguments...)> {};
template <class Result, class... Arguments>
struct Signature<Result (*)(Arguments...) noexcept> : Signature<Result (*)(Arguments...)> {};
template <class Class, class Result, class... Arguments>
struct Signature<Result (Class::*)(Arguments...) noexcept> : Signature<Result (*)(Arguments...)> {};
template <class Class, class Result, class... Arguments>
struct Signature<Result (Class::*)(Arguments...) const noexcept>
    : Signature<Result (*)(Arguments...)> {};

template <class F, std::size_t i>
using Argument = std::tuple_element_t<i, typename Signature<F>::Types>;
template <class F>
inline constexpr std::size_t arity = std::tuple_size_v<typename Signature<F>::Types>;

/// Takes the request itself, to answer it when and where it likes.
template <class F>
constexpr bool is_raw() {
  if constexpr (arity<F> == 1) {
    return std::is_same_v<Argument<F, 0>, Request> || std::is_same_v<Argument<F, 0>, Request&&>;
  } else {
    return false;
  }
}

/// What a handler answers, as bytes: text as it is, void as nothing, all else packed.
template <class Call>
std::string bytes_of(Call call) {
  using Result = decltype(call());
  if constexpr (std::is_void_v<Result>) {
    call();
    return {};
  } else if constexpr (std::is_same_v<Result, std::string>) {
    return call();
  } else if constexpr (std::is_convertible_v<Result, std::string_view>) {
    Result result = call();
    return std::string{std::string_view{result}};
  } else {
    return pack(call());
  }
}

template <class Call>
void reply_with(Request& request, Call call) {
  if constexpr (std::is_void_v<decltype(call())>) {
    call();
    request.reply(std::string_view{});
  } else {
    request.reply(call());
  }
}

/// Empty, once it was refused: the payload is not a T.
template <class T>
std::optional<T> argument_of(Request& request) {
  try {
    return request.as<T>();
  } catch (const Error& error) {
    request.refuse(error.what());
    return std::nullopt;
  }
}

template <class F>
Handler handler_of(F callable) {
  if constexpr (is_raw<F>()) {
    return [callable = std::move(callable)](Request&& request) mutable {
      callable(std::move(request));
    };
  } else if constexpr (arity<F> == 0) {
    return [callable = std::move(callable)](Request&& request) mutable {
      reply_with(request, [&] { return callable(); });
    };
  } else {
    static_assert(arity<F> <= 2, "a handler takes a value, and a const Request& where it wants it");
    using T = std::remove_cvref_t<Argument<F, 0>>;
    return [callable = std::move(callable)](Request&& request) mutable {
      std::optional<T> value = argument_of<T>(request);
      if (!value) return;
      if constexpr (arity<F> == 1) {
        reply_with(request, [&] { return callable(*value); });
      } else {
        reply_with(request, [&] { return callable(*value, std::as_const(request)); });
      }
    };
  }
}

}  // namespace busbar::detail
