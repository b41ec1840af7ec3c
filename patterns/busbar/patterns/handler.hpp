/// From a callable to a handler, by its signature.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <busbar/patterns/request.hpp>

namespace busbar::detail {

using Handler = std::function<void(Request&&)>;

/// What has one signature: a function, or an object whose operator() is one and no template.
template <class F>
concept HasSignature = std::is_function_v<std::remove_pointer_t<F>> || requires {
  typename std::void_t<decltype(&F::operator())>;
};

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
  if constexpr (arity<F> != 1) {
    return false;
  } else if constexpr (std::is_same_v<Argument<F, 0>, Request&>) {
    return std::is_void_v<std::invoke_result_t<F&, Request&>>;
  } else {
    return std::is_same_v<Argument<F, 0>, Request> || std::is_same_v<Argument<F, 0>, Request&&>;
  }
}

/// Gives `take` what a handler answers, as bytes: text as it is, void as nothing, all else packed.
template <class Call, class Take>
void answer_with(Call call, Take& take) {
  using Result = decltype(call());
  if constexpr (std::is_void_v<Result>) {
    call();
    take(std::string_view{});
  } else if constexpr (std::is_convertible_v<Result, std::string_view>) {
    const auto& result = call();
    take(std::string_view{result});
  } else {
    take(std::string_view{pack(call())});
  }
}

/// The payload as T. Empty, once it was refused: it is none. Where requests cannot be refused that
/// is an Error.
template <class T, class Asked>
std::optional<T> argument_of(Asked& request) {
  if constexpr (requires { request.refuse(""); }) {
    try {
      return request.template as<T>();
    } catch (const Error& error) {
      request.refuse(error.what());
      return std::nullopt;
    }
  } else {
    return request.template as<T>();
  }
}

/// Calls it with what it takes, and gives `take` what it answers.
template <class F, class Asked, class Take>
void call_with(F& callable, Asked& request, Take take) {
  if constexpr (arity<F> == 0) {
    answer_with([&]() -> decltype(auto) { return callable(); }, take);
  } else if constexpr (std::is_same_v<std::remove_cvref_t<Argument<F, 0>>, Asked>) {
    static_assert(arity<F> == 1, "the request comes behind the value");
    answer_with([&]() -> decltype(auto) { return callable(request); }, take);
  } else {
    std::optional value = argument_of<std::remove_cvref_t<Argument<F, 0>>>(request);
    if (!value) return;
    answer_with(
        [&]() -> decltype(auto) {
          if constexpr (arity<F> == 1) {
            return callable(std::forward<Argument<F, 0>>(*value));
          } else {
            return callable(std::forward<Argument<F, 0>>(*value), request);
          }
        },
        take);
  }
}

template <class F, class Asked>
constexpr bool is_request_last() {
  if constexpr (arity<F> < 2) {
    return true;
  } else {
    return std::is_convertible_v<Asked&, Argument<F, 1>>;
  }
}

/// Refuses what cannot be one, in words.
template <class F, class Asked>
constexpr bool is_handler() {
  static_assert(HasSignature<F>,
                "a handler is a function, or an object with one operator(): name its types in "
                "place of `auto`");
  if constexpr (HasSignature<F>) {
    static_assert(arity<F> <= 2 && is_request_last<F, Asked>(),
                  "a handler takes nothing, a value, a value and the request, or the request");
  }
  return HasSignature<F>;
}

/// What it holds may be such as can be moved only.
template <class F>
Handler handler_of(F callable) {
  if constexpr (is_handler<F, Request>()) {
    return [shared = std::make_shared<F>(std::move(callable))](Request&& request) {
      if constexpr (is_raw<F>()) {
        (*shared)(static_cast<Argument<F, 0>&&>(request));
      } else {
        call_with(*shared, request, [&](std::string_view bytes) { request.reply(bytes); });
      }
    };
  }
}

}  // namespace busbar::detail
