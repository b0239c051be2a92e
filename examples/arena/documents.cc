// Text as a tree, and the tree as Python objects: an Arena for what lives as long as one call.
//
// What it shows: the tree is made while the thread is detached, because nothing in it is a handle;
// nodes and their containers are of one arena, which frees all of them at once and runs no
// destructor for them; a small text needs no memory but the stack; want of memory is a MemoryError.
//
//   documents.parse('{"a": [1, 2.5, null]}')   # {'a': [1, 2.5, None]}
//
// The text is JSON, but for surrogates in \u, of which it wants no pairs.
//
// Built by Bazel:   ./dev bazel build //examples/arena:documents

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory_resource>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/core/attach.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"
#include "tenure/pool/arena.h"

namespace {

using namespace tenure;
using pool::Arena;
using pool::InlineArena;

// A text that is none; in Python a ValueError.
struct DocumentError : std::runtime_error {
  DocumentError(size_t at, const std::string& expected)
      : std::runtime_error(expected + " expected at " + std::to_string(at)) {}
};

struct Node {
  enum class Kind { kNull, kTrue, kFalse, kInt, kFloat, kText, kList, kDict };

  explicit Node(Arena& arena) : items(arena.resource()), names(arena.resource()) {}

  Kind kind = Kind::kNull;
  long integer = 0;
  double number = 0;
  std::string_view text;                     // of the document, or of the arena
  std::pmr::vector<Node*> items;             // of lists and dicts
  std::pmr::vector<std::string_view> names;  // of dicts, one for each item
};

}  // namespace

// Its vectors would only give memory of the arena back.
template <>
inline constexpr bool tenure::pool::kSkipsDestructor<Node> = true;

namespace {

// Reads a document into an arena. Thread state: any.
class Parser {
 public:
  Parser(std::string_view text, Arena& arena) : text_(text), arena_(arena) {}

  const Node* parse() {
    const Node* const root = parse_value(0);
    skip_blanks();
    if (at_ != text_.size()) throw DocumentError(at_, "the end");
    return root;
  }

 private:
  static constexpr int kDeepest = 500;

  void skip_blanks() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

  bool take(std::string_view token) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  void expect(std::string_view token) {
    if (!take(token)) throw DocumentError(at_, "'" + std::string(token) + "'");
  }

  Node* parse_value(int depth) {
    if (depth > kDeepest) throw DocumentError(at_, "less depth");
    Node* const node = arena_.make<Node>(arena_);
    if (take("{")) {
      node->kind = Node::Kind::kDict;
      parse_items(*node, "}", depth);
    } else if (take("[")) {
      node->kind = Node::Kind::kList;
      parse_items(*node, "]", depth);
    } else if (take("\"")) {
      node->kind = Node::Kind::kText;
      node->text = parse_text();
    } else if (take("true")) {
      node->kind = Node::Kind::kTrue;
    } else if (take("false")) {
      node->kind = Node::Kind::kFalse;
    } else if (!take("null")) {
      parse_number(*node);
    }
    return node;
  }

  void parse_items(Node& node, std::string_view end, int depth) {
    if (take(end)) return;
    do {
      if (node.kind == Node::Kind::kDict) {
        expect("\"");
        node.names.push_back(parse_text());
        expect(":");
      }
      node.items.push_back(parse_value(depth + 1));
    } while (take(","));
    expect(end);
  }

  void parse_number(Node& node) {
    const char* const begin = text_.data() + at_;
    const char* const end = text_.data() + text_.size();
    const auto whole = std::from_chars(begin, end, node.integer);
    // It reads infinity and nan too.
    const auto part = std::from_chars(begin, end, node.number);
    if (part.ec != std::errc() || !std::isfinite(node.number)) {
      throw DocumentError(at_, "a value");
    }
    node.kind =
        whole.ec == std::errc() && whole.ptr == part.ptr ? Node::Kind::kInt : Node::Kind::kFloat;
    at_ += static_cast<size_t>(part.ptr - begin);
  }

  // What is as it stands there needs no copy.
  std::string_view parse_text() {
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\') ++at_;
    if (at_ < text_.size() && text_[at_] == '"') return text_.substr(begin, at_++ - begin);
    std::pmr::string copy(text_.substr(begin, at_ - begin), arena_.resource());
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\') {
        take_escape(copy);
      } else {
        copy.push_back(text_[at_++]);
      }
    }
    expect("\"");
    return arena_.copy(std::string_view(copy));
  }

  void take_escape(std::pmr::string& into) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const size_t at = at_++;
    const char name = at_ < text_.size() ? text_[at_++] : '\0';
    unsigned code = 0;
    if (const size_t found = kNames.find(name); found != std::string_view::npos) {
      into.push_back(kMeanings[found]);
    } else if (name == 'u' && read_hex(code)) {
      append_utf8(into, code);
    } else {
      throw DocumentError(at, "an escape");
    }
  }

  bool read_hex(unsigned& code) {
    const std::string_view digits = text_.substr(at_, 4);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    at_ += digits.size();
    return digits.size() == 4 && read.ptr == digits.data() + 4 && (code < 0xD800 || code > 0xDFFF);
  }

  static void append_utf8(std::pmr::string& into, unsigned code) {
    if (code < 0x80) {
      into.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
      into.push_back(static_cast<char>(0xC0 | code >> 6));
      into.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    } else {
      into.push_back(static_cast<char>(0xE0 | code >> 12));
      into.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3F)));
      into.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  Arena& arena_;
};

Result<> to_python(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return Borrowed<>(Py_None).new_ref();
    case Node::Kind::kTrue:
    case Node::Kind::kFalse:
      return Bool::make(node.kind == Node::Kind::kTrue);
    case Node::Kind::kInt:
      return Int::make(node.integer);
    case Node::Kind::kFloat:
      return Float::make(node.number);
    case Node::Kind::kText:
      return Str::make(node.text);
    case Node::Kind::kList: {
      ListBuilder list = TENURE_TRY(ListBuilder::make(static_cast<Py_ssize_t>(node.items.size())));
      for (const Node* item : node.items) list.add(TENURE_TRY(to_python(*item)));
      return std::move(list).finish();
    }
    case Node::Kind::kDict:
      break;
  }
  Owned<Dict> dict = TENURE_TRY(Dict::make());
  for (size_t i = 0; i < node.items.size(); ++i) {
    const Owned<Str> name = TENURE_TRY(Str::make(node.names[i]));
    const Owned<> value = TENURE_TRY(to_python(*node.items[i]));
    TENURE_TRY(dict.set(name, value));
  }
  return dict;
}

Result<> parse(std::string_view text) {
  InlineArena<4096> arena;
  const Node* root = nullptr;
  {
    const Detach detach;
    root = Parser(text, arena).parse();
  }
  return to_python(*root);
}

}  // namespace

TENURE_MODULE(documents, m, .doc = "Trees of text.", .per_interpreter_gil = true,
              .free_threading = true) {
  m.exception<DocumentError>("DocumentError", PyExc_ValueError, doc("A text that is none."));
  m.def<&parse>("parse", arg("text"), pos_only(), doc("The objects that a JSON text stands for."));
}
