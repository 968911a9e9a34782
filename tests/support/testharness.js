// What of web-platform-tests' testharness.js the tests of the Prompt API call. `run()` runs those that were declared, one after
// the other: [name, what went wrong or nothing].

(() => {
  const declared = [];
  const check = (holds, message) => {
    if (!holds) throw new Error(message);
  };
  const rejected = async (promise) => {
    try {
      await promise;
    } catch (error) {
      return error;
    }
    throw new Error("it did not reject");
  };
  const said = (message) => (message === undefined ? "" : `${message}: `);
  Object.assign(globalThis, {
    test_driver: { bless: async () => {} },
    promise_test: (work, name = document.title) => void declared.push([name, work]),
    assert_true: (value, message) => check(value === true, `${said(message)}${value}, not true`),
    assert_false: (value, message) => check(value === false, `${said(message)}${value}, not false`),
    assert_equals: (value, expected, message) => check(Object.is(value, expected), `${said(message)}${value}, not ${expected}`),
    assert_in_array: (value, list, message) => check(list.includes(value), `${said(message)}${value} is none of ${list}`),
    assert_greater_than: (value, least, message) => check(value > least, `${said(message)}${value}, not more than ${least}`),
    assert_greater_than_equal: (value, least, message) => check(value >= least, `${said(message)}${value}, less than ${least}`),
    assert_less_than_equal: (value, most, message) => check(value <= most, `${said(message)}${value}, more than ${most}`),
    assert_own_property: (object, name, message) => check(Object.hasOwn(object, name), `${said(message)}no ${name}`),
    assert_regexp_match: (text, pattern, message) => check(pattern.test(text), `${said(message)}${JSON.stringify(text)} does not match ${pattern}`),
    assert_implements_optional: (value, message) => check(value, message),
    assert_unreached: (message) => check(false, message),
    promise_rejects_dom: async (_, name, promise) => {
      const error = await rejected(promise);
      check(error instanceof DOMException && error.name === name, `${error?.name}: ${error?.message}, not ${name}`);
    },
    promise_rejects_js: async (_, type, promise) => {
      const error = await rejected(promise);
      check(error?.constructor === type, `${error}, not a ${type.name}`);
    },
    promise_rejects_exactly: async (_, expected, promise) => {
      const error = await rejected(promise);
      check(error === expected, `${error}, not the very ${expected}`);
    },
    promise_rejects_quotaexceedederror: async (_, promise, requested, quota) => {
      const error = await rejected(promise);
      const isAsked = typeof requested === "function" ? requested(error.requested) : error.requested === requested;
      check(error.name === "QuotaExceededError" && error.quota === quota && isAsked, `${error}: ${error.requested} of ${error.quota}, not ${requested} of ${quota}`);
    },
    run: async () => {
      const results = [];
      for (const [name, work] of declared.splice(0)) {
        results.push([name, await Promise.resolve(work({})).then(() => undefined, (error) => String(error?.message ?? error))]);
      }
      return results;
    },
  });
})();
