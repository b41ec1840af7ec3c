/// From a callable to a handler, by its signature.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
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
void call_with_value(F& callable, Request& request) {
  std::optional value = argument_of<std::remove_cvref_t<Argument<F, 0>>>(request);
  if (!value) return;
  reply_with(request, [&]() -> decltype(auto) {
    if constexpr (arity<F> == 1) {
      return callable(std::forward<Argument<F, 0>>(*value));
    } else {
      return callable(std::forward<Argument<F, 0>>(*value), request);
    }
  });
}

template <class F>
void call_handler(F& callable, Request& request) {
  if constexpr (is_raw<F>()) {
    callable(static_cast<Argument<F, 0>&&>(request));
  } else if constexpr (arity<F> == 0) {
    reply_with(request, [&]() -> decltype(auto) { return callable(); });
  } else if constexpr (std::is_same_v<std::remove_cvref_t<Argument<F, 0>>, Request>) {
    static_assert(arity<F> == 1, "the Request comes behind the value");
    reply_with(request, [&]() -> decltype(auto) { return callable(request); });
  } else {
    call_with_value(callable, request);
  }
}

template <class F>
constexpr bool is_request_last() {
  if constexpr (arity<F> < 2) {
    return true;
  } else {
    return std::is_convertible_v<Request&, Argument<F, 1>>;
  }
}

/// What it holds may be such as can be moved only.
template <class F>
Handler handler_of(F callable) {
  static_assert(HasSignature<F>,
                "a handler is a function, or an object with one operator(): name its types in "
                "place of `auto`");
  if constexpr (HasSignature<F>) {
    static_assert(arity<F> <= 2 && is_request_last<F>(),
                  "a handler takes nothing, a value, a value and a Request&, or a Request");
    return [shared = std::make_shared<F>(std::move(callable))](Request&& request) {
      call_handler(*shared, request);
    };
  }
}

}  // namespace busbar::detail
