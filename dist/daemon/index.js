import { createRequire as __WEBPACK_EXTERNAL_createRequire } from "module";
/******/ var __webpack_modules__ = ({

/***/ 328:
/***/ ((module) => {



/** Highest positive signed 32-bit float value */
const maxInt = 2147483647; // aka. 0x7FFFFFFF or 2^31-1

/** Bootstring parameters */
const base = 36;
const tMin = 1;
const tMax = 26;
const skew = 38;
const damp = 700;
const initialBias = 72;
const initialN = 128; // 0x80
const delimiter = '-'; // '\x2D'

/** Regular expressions */
const regexPunycode = /^xn--/;
const regexNonASCII = /[^\0-\x7F]/; // Note: U+007F DEL is excluded too.
const regexSeparators = /[\x2E\u3002\uFF0E\uFF61]/g; // RFC 3490 separators

/** Error messages */
const errors = {
	'overflow': 'Overflow: input needs wider integers to process',
	'not-basic': 'Illegal input >= 0x80 (not a basic code point)',
	'invalid-input': 'Invalid input'
};

/** Convenience shortcuts */
const baseMinusTMin = base - tMin;
const floor = Math.floor;
const stringFromCharCode = String.fromCharCode;

/*--------------------------------------------------------------------------*/

/**
 * A generic error utility function.
 * @private
 * @param {String} type The error type.
 * @returns {Error} Throws a `RangeError` with the applicable error message.
 */
function error(type) {
	throw new RangeError(errors[type]);
}

/**
 * A generic `Array#map` utility function.
 * @private
 * @param {Array} array The array to iterate over.
 * @param {Function} callback The function that gets called for every array
 * item.
 * @returns {Array} A new array of values returned by the callback function.
 */
function map(array, callback) {
	const result = [];
	let length = array.length;
	while (length--) {
		result[length] = callback(array[length]);
	}
	return result;
}

/**
 * A simple `Array#map`-like wrapper to work with domain name strings or email
 * addresses.
 * @private
 * @param {String} domain The domain name or email address.
 * @param {Function} callback The function that gets called for every
 * character.
 * @returns {String} A new string of characters returned by the callback
 * function.
 */
function mapDomain(domain, callback) {
	const parts = domain.split('@');
	let result = '';
	if (parts.length > 1) {
		// In email addresses, only the domain name should be punycoded. Leave
		// the local part (i.e. everything up to `@`) intact.
		result = parts[0] + '@';
		domain = parts[1];
	}
	// Avoid `split(regex)` for IE8 compatibility. See #17.
	domain = domain.replace(regexSeparators, '\x2E');
	const labels = domain.split('.');
	const encoded = map(labels, callback).join('.');
	return result + encoded;
}

/**
 * Creates an array containing the numeric code points of each Unicode
 * character in the string. While JavaScript uses UCS-2 internally,
 * this function will convert a pair of surrogate halves (each of which
 * UCS-2 exposes as separate characters) into a single code point,
 * matching UTF-16.
 * @see `punycode.ucs2.encode`
 * @see <https://mathiasbynens.be/notes/javascript-encoding>
 * @memberOf punycode.ucs2
 * @name decode
 * @param {String} string The Unicode input string (UCS-2).
 * @returns {Array} The new array of code points.
 */
function ucs2decode(string) {
	const output = [];
	let counter = 0;
	const length = string.length;
	while (counter < length) {
		const value = string.charCodeAt(counter++);
		if (value >= 0xD800 && value <= 0xDBFF && counter < length) {
			// It's a high surrogate, and there is a next character.
			const extra = string.charCodeAt(counter++);
			if ((extra & 0xFC00) == 0xDC00) { // Low surrogate.
				output.push(((value & 0x3FF) << 10) + (extra & 0x3FF) + 0x10000);
			} else {
				// It's an unmatched surrogate; only append this code unit, in case the
				// next code unit is the high surrogate of a surrogate pair.
				output.push(value);
				counter--;
			}
		} else {
			output.push(value);
		}
	}
	return output;
}

/**
 * Creates a string based on an array of numeric code points.
 * @see `punycode.ucs2.decode`
 * @memberOf punycode.ucs2
 * @name encode
 * @param {Array} codePoints The array of numeric code points.
 * @returns {String} The new Unicode string (UCS-2).
 */
const ucs2encode = codePoints => String.fromCodePoint(...codePoints);

/**
 * Converts a basic code point into a digit/integer.
 * @see `digitToBasic()`
 * @private
 * @param {Number} codePoint The basic numeric code point value.
 * @returns {Number} The numeric value of a basic code point (for use in
 * representing integers) in the range `0` to `base - 1`, or `base` if
 * the code point does not represent a value.
 */
const basicToDigit = function(codePoint) {
	if (codePoint >= 0x30 && codePoint < 0x3A) {
		return 26 + (codePoint - 0x30);
	}
	if (codePoint >= 0x41 && codePoint < 0x5B) {
		return codePoint - 0x41;
	}
	if (codePoint >= 0x61 && codePoint < 0x7B) {
		return codePoint - 0x61;
	}
	return base;
};

/**
 * Converts a digit/integer into a basic code point.
 * @see `basicToDigit()`
 * @private
 * @param {Number} digit The numeric value of a basic code point.
 * @returns {Number} The basic code point whose value (when used for
 * representing integers) is `digit`, which needs to be in the range
 * `0` to `base - 1`. If `flag` is non-zero, the uppercase form is
 * used; else, the lowercase form is used. The behavior is undefined
 * if `flag` is non-zero and `digit` has no uppercase form.
 */
const digitToBasic = function(digit, flag) {
	//  0..25 map to ASCII a..z or A..Z
	// 26..35 map to ASCII 0..9
	return digit + 22 + 75 * (digit < 26) - ((flag != 0) << 5);
};

/**
 * Bias adaptation function as per section 3.4 of RFC 3492.
 * https://tools.ietf.org/html/rfc3492#section-3.4
 * @private
 */
const adapt = function(delta, numPoints, firstTime) {
	let k = 0;
	delta = firstTime ? floor(delta / damp) : delta >> 1;
	delta += floor(delta / numPoints);
	for (/* no initialization */; delta > baseMinusTMin * tMax >> 1; k += base) {
		delta = floor(delta / baseMinusTMin);
	}
	return floor(k + (baseMinusTMin + 1) * delta / (delta + skew));
};

/**
 * Converts a Punycode string of ASCII-only symbols to a string of Unicode
 * symbols.
 * @memberOf punycode
 * @param {String} input The Punycode string of ASCII-only symbols.
 * @returns {String} The resulting string of Unicode symbols.
 */
const decode = function(input) {
	// Don't use UCS-2.
	const output = [];
	const inputLength = input.length;
	let i = 0;
	let n = initialN;
	let bias = initialBias;

	// Handle the basic code points: let `basic` be the number of input code
	// points before the last delimiter, or `0` if there is none, then copy
	// the first basic code points to the output.

	let basic = input.lastIndexOf(delimiter);
	if (basic < 0) {
		basic = 0;
	}

	for (let j = 0; j < basic; ++j) {
		// if it's not a basic code point
		if (input.charCodeAt(j) >= 0x80) {
			error('not-basic');
		}
		output.push(input.charCodeAt(j));
	}

	// Main decoding loop: start just after the last delimiter if any basic code
	// points were copied; start at the beginning otherwise.

	for (let index = basic > 0 ? basic + 1 : 0; index < inputLength; /* no final expression */) {

		// `index` is the index of the next character to be consumed.
		// Decode a generalized variable-length integer into `delta`,
		// which gets added to `i`. The overflow checking is easier
		// if we increase `i` as we go, then subtract off its starting
		// value at the end to obtain `delta`.
		const oldi = i;
		for (let w = 1, k = base; /* no condition */; k += base) {

			if (index >= inputLength) {
				error('invalid-input');
			}

			const digit = basicToDigit(input.charCodeAt(index++));

			if (digit >= base) {
				error('invalid-input');
			}
			if (digit > floor((maxInt - i) / w)) {
				error('overflow');
			}

			i += digit * w;
			const t = k <= bias ? tMin : (k >= bias + tMax ? tMax : k - bias);

			if (digit < t) {
				break;
			}

			const baseMinusT = base - t;
			if (w > floor(maxInt / baseMinusT)) {
				error('overflow');
			}

			w *= baseMinusT;

		}

		const out = output.length + 1;
		bias = adapt(i - oldi, out, oldi == 0);

		// `i` was supposed to wrap around from `out` to `0`,
		// incrementing `n` each time, so we'll fix that now:
		if (floor(i / out) > maxInt - n) {
			error('overflow');
		}

		n += floor(i / out);
		i %= out;

		// Insert `n` at position `i` of the output.
		output.splice(i++, 0, n);

	}

	return String.fromCodePoint(...output);
};

/**
 * Converts a string of Unicode symbols (e.g. a domain name label) to a
 * Punycode string of ASCII-only symbols.
 * @memberOf punycode
 * @param {String} input The string of Unicode symbols.
 * @returns {String} The resulting Punycode string of ASCII-only symbols.
 */
const encode = function(input) {
	const output = [];

	// Convert the input in UCS-2 to an array of Unicode code points.
	input = ucs2decode(input);

	// Cache the length.
	const inputLength = input.length;

	// Initialize the state.
	let n = initialN;
	let delta = 0;
	let bias = initialBias;

	// Handle the basic code points.
	for (const currentValue of input) {
		if (currentValue < 0x80) {
			output.push(stringFromCharCode(currentValue));
		}
	}

	const basicLength = output.length;
	let handledCPCount = basicLength;

	// `handledCPCount` is the number of code points that have been handled;
	// `basicLength` is the number of basic code points.

	// Finish the basic string with a delimiter unless it's empty.
	if (basicLength) {
		output.push(delimiter);
	}

	// Main encoding loop:
	while (handledCPCount < inputLength) {

		// All non-basic code points < n have been handled already. Find the next
		// larger one:
		let m = maxInt;
		for (const currentValue of input) {
			if (currentValue >= n && currentValue < m) {
				m = currentValue;
			}
		}

		// Increase `delta` enough to advance the decoder's <n,i> state to <m,0>,
		// but guard against overflow.
		const handledCPCountPlusOne = handledCPCount + 1;
		if (m - n > floor((maxInt - delta) / handledCPCountPlusOne)) {
			error('overflow');
		}

		delta += (m - n) * handledCPCountPlusOne;
		n = m;

		for (const currentValue of input) {
			if (currentValue < n && ++delta > maxInt) {
				error('overflow');
			}
			if (currentValue === n) {
				// Represent delta as a generalized variable-length integer.
				let q = delta;
				for (let k = base; /* no condition */; k += base) {
					const t = k <= bias ? tMin : (k >= bias + tMax ? tMax : k - bias);
					if (q < t) {
						break;
					}
					const qMinusT = q - t;
					const baseMinusT = base - t;
					output.push(
						stringFromCharCode(digitToBasic(t + qMinusT % baseMinusT, 0))
					);
					q = floor(qMinusT / baseMinusT);
				}

				output.push(stringFromCharCode(digitToBasic(q, 0)));
				bias = adapt(delta, handledCPCountPlusOne, handledCPCount === basicLength);
				delta = 0;
				++handledCPCount;
			}
		}

		++delta;
		++n;

	}
	return output.join('');
};

/**
 * Converts a Punycode string representing a domain name or an email address
 * to Unicode. Only the Punycoded parts of the input will be converted, i.e.
 * it doesn't matter if you call it on a string that has already been
 * converted to Unicode.
 * @memberOf punycode
 * @param {String} input The Punycoded domain name or email address to
 * convert to Unicode.
 * @returns {String} The Unicode representation of the given Punycode
 * string.
 */
const toUnicode = function(input) {
	return mapDomain(input, function(string) {
		return regexPunycode.test(string)
			? decode(string.slice(4).toLowerCase())
			: string;
	});
};

/**
 * Converts a Unicode string representing a domain name or an email address to
 * Punycode. Only the non-ASCII parts of the domain name will be converted,
 * i.e. it doesn't matter if you call it with a domain that's already in
 * ASCII.
 * @memberOf punycode
 * @param {String} input The domain name or email address to convert, as a
 * Unicode string.
 * @returns {String} The Punycode representation of the given domain name or
 * email address.
 */
const toASCII = function(input) {
	return mapDomain(input, function(string) {
		return regexNonASCII.test(string)
			? 'xn--' + encode(string)
			: string;
	});
};

/*--------------------------------------------------------------------------*/

/** Define the public API */
const punycode = {
	/**
	 * A string representing the current Punycode.js version number.
	 * @memberOf punycode
	 * @type String
	 */
	'version': '2.3.1',
	/**
	 * An object of methods to convert from JavaScript's internal character
	 * representation (UCS-2) to Unicode code points, and back.
	 * @see <https://mathiasbynens.be/notes/javascript-encoding>
	 * @memberOf punycode
	 * @type Object
	 */
	'ucs2': {
		'decode': ucs2decode,
		'encode': ucs2encode
	},
	'decode': decode,
	'encode': encode,
	'toASCII': toASCII,
	'toUnicode': toUnicode
};

module.exports = punycode;


/***/ }),

/***/ 552:
/***/ ((module, __unused_webpack_exports, __nccwpck_require__) => {



const punycode = __nccwpck_require__(328);
const regexes = __nccwpck_require__(23);
const mappingTable = __nccwpck_require__(472);
const { STATUS_MAPPING } = __nccwpck_require__(156);

function containsNonASCII(str) {
  return /[^\x00-\x7F]/u.test(str);
}

function findStatus(val) {
  let start = 0;
  let end = mappingTable.length - 1;

  while (start <= end) {
    const mid = Math.floor((start + end) / 2);

    const target = mappingTable[mid];
    const min = Array.isArray(target[0]) ? target[0][0] : target[0];
    const max = Array.isArray(target[0]) ? target[0][1] : target[0];

    if (min <= val && max >= val) {
      return target.slice(1);
    } else if (min > val) {
      end = mid - 1;
    } else {
      start = mid + 1;
    }
  }

  return null;
}

function mapChars(domainName, { transitionalProcessing }) {
  let processed = "";

  for (const ch of domainName) {
    const [status, mapping] = findStatus(ch.codePointAt(0));

    switch (status) {
      case STATUS_MAPPING.disallowed:
        processed += ch;
        break;
      case STATUS_MAPPING.ignored:
        break;
      case STATUS_MAPPING.mapped:
        if (transitionalProcessing && ch === "ẞ") {
          processed += "ss";
        } else {
          processed += mapping;
        }
        break;
      case STATUS_MAPPING.deviation:
        if (transitionalProcessing) {
          processed += mapping;
        } else {
          processed += ch;
        }
        break;
      case STATUS_MAPPING.valid:
        processed += ch;
        break;
    }
  }

  return processed;
}

function validateLabel(label, {
  checkHyphens,
  checkBidi,
  checkJoiners,
  transitionalProcessing,
  useSTD3ASCIIRules,
  isBidi
}) {
  // "must be satisfied for a non-empty label"
  if (label.length === 0) {
    return true;
  }

  // "1. The label must be in Unicode Normalization Form NFC."
  if (label.normalize("NFC") !== label) {
    return false;
  }

  const codePoints = Array.from(label);

  // "2. If CheckHyphens, the label must not contain a U+002D HYPHEN-MINUS character in both the
  // third and fourth positions."
  //
  // "3. If CheckHyphens, the label must neither begin nor end with a U+002D HYPHEN-MINUS character."
  if (checkHyphens) {
    if ((codePoints[2] === "-" && codePoints[3] === "-") ||
        (label.startsWith("-") || label.endsWith("-"))) {
      return false;
    }
  }

  // "4. If not CheckHyphens, the label must not begin with “xn--”."
  if (!checkHyphens) {
    if (label.startsWith("xn--")) {
      return false;
    }
  }

  // "5. The label must not contain a U+002E ( . ) FULL STOP."
  if (label.includes(".")) {
    return false;
  }

  // "6. The label must not begin with a combining mark, that is: General_Category=Mark."
  if (regexes.combiningMarks.test(codePoints[0])) {
    return false;
  }

  // "7. Each code point in the label must only have certain Status values according to Section 5"
  for (const ch of codePoints) {
    const codePoint = ch.codePointAt(0);
    const [status] = findStatus(codePoint);
    if (transitionalProcessing) {
      // "For Transitional Processing (deprecated), each value must be valid."
      if (status !== STATUS_MAPPING.valid) {
        return false;
      }
    } else if (status !== STATUS_MAPPING.valid && status !== STATUS_MAPPING.deviation) {
      // "For Nontransitional Processing, each value must be either valid or deviation."
      return false;
    }
    // "In addition, if UseSTD3ASCIIRules=true and the code point is an ASCII code point (U+0000..U+007F), then it must
    // be a lowercase letter (a-z), a digit (0-9), or a hyphen-minus (U+002D). (Note: This excludes uppercase ASCII
    // A-Z which are mapped in UTS #46 and disallowed in IDNA2008.)"
    if (useSTD3ASCIIRules && codePoint <= 0x7F) {
      if (!/^(?:[a-z]|[0-9]|-)$/u.test(ch)) {
        return false;
      }
    }
  }

  // "8. If CheckJoiners, the label must satisify the ContextJ rules"
  // https://tools.ietf.org/html/rfc5892#appendix-A
  if (checkJoiners) {
    let last = 0;
    for (const [i, ch] of codePoints.entries()) {
      if (ch === "\u200C" || ch === "\u200D") {
        if (i > 0) {
          if (regexes.combiningClassVirama.test(codePoints[i - 1])) {
            continue;
          }
          if (ch === "\u200C") {
            // TODO: make this more efficient
            const next = codePoints.indexOf("\u200C", i + 1);
            const test = next < 0 ? codePoints.slice(last) : codePoints.slice(last, next);
            if (regexes.validZWNJ.test(test.join(""))) {
              last = i + 1;
              continue;
            }
          }
        }
        return false;
      }
    }
  }

  // "9. If CheckBidi, and if the domain name is a Bidi domain name, then the label must satisfy..."
  // https://tools.ietf.org/html/rfc5893#section-2
  if (checkBidi && isBidi) {
    let rtl;

    // 1
    if (regexes.bidiS1LTR.test(codePoints[0])) {
      rtl = false;
    } else if (regexes.bidiS1RTL.test(codePoints[0])) {
      rtl = true;
    } else {
      return false;
    }

    if (rtl) {
      // 2-4
      if (!regexes.bidiS2.test(label) ||
          !regexes.bidiS3.test(label) ||
          (regexes.bidiS4EN.test(label) && regexes.bidiS4AN.test(label))) {
        return false;
      }
    } else if (!regexes.bidiS5.test(label) ||
               !regexes.bidiS6.test(label)) { // 5-6
      return false;
    }
  }

  return true;
}

function isBidiDomain(labels) {
  const domain = labels.map(label => {
    if (label.startsWith("xn--")) {
      try {
        return punycode.decode(label.substring(4));
      } catch {
        return "";
      }
    }
    return label;
  }).join(".");
  return regexes.bidiDomain.test(domain);
}

function processing(domainName, options) {
  // 1. Map.
  let string = mapChars(domainName, options);

  // 2. Normalize.
  string = string.normalize("NFC");

  // 3. Break.
  const labels = string.split(".");
  const isBidi = isBidiDomain(labels);

  // 4. Convert/Validate.
  let error = false;
  for (const [i, origLabel] of labels.entries()) {
    let label = origLabel;
    let transitionalProcessingForThisLabel = options.transitionalProcessing;
    if (label.startsWith("xn--")) {
      if (containsNonASCII(label)) {
        error = true;
        continue;
      }

      try {
        label = punycode.decode(label.substring(4));
      } catch {
        if (!options.ignoreInvalidPunycode) {
          error = true;
          continue;
        }
      }
      labels[i] = label;

      if (label === "" || !containsNonASCII(label)) {
        error = true;
      }

      transitionalProcessingForThisLabel = false;
    }

    // No need to validate if we already know there is an error.
    if (error) {
      continue;
    }
    const validation = validateLabel(label, {
      ...options,
      transitionalProcessing: transitionalProcessingForThisLabel,
      isBidi
    });
    if (!validation) {
      error = true;
    }
  }

  return {
    string: labels.join("."),
    error
  };
}

function toASCII(domainName, {
  checkHyphens = false,
  checkBidi = false,
  checkJoiners = false,
  useSTD3ASCIIRules = false,
  verifyDNSLength = false,
  transitionalProcessing = false,
  ignoreInvalidPunycode = false
} = {}) {
  const result = processing(domainName, {
    checkHyphens,
    checkBidi,
    checkJoiners,
    useSTD3ASCIIRules,
    transitionalProcessing,
    ignoreInvalidPunycode
  });
  let labels = result.string.split(".");
  labels = labels.map(l => {
    if (containsNonASCII(l)) {
      try {
        return `xn--${punycode.encode(l)}`;
      } catch {
        result.error = true;
      }
    }
    return l;
  });

  if (verifyDNSLength) {
    const total = labels.join(".").length;
    if (total > 253 || total === 0) {
      result.error = true;
    }

    for (let i = 0; i < labels.length; ++i) {
      if (labels[i].length > 63 || labels[i].length === 0) {
        result.error = true;
        break;
      }
    }
  }

  if (result.error) {
    return null;
  }
  return labels.join(".");
}

function toUnicode(domainName, {
  checkHyphens = false,
  checkBidi = false,
  checkJoiners = false,
  useSTD3ASCIIRules = false,
  transitionalProcessing = false,
  ignoreInvalidPunycode = false
} = {}) {
  const result = processing(domainName, {
    checkHyphens,
    checkBidi,
    checkJoiners,
    useSTD3ASCIIRules,
    transitionalProcessing,
    ignoreInvalidPunycode
  });

  return {
    domain: result.string,
    error: result.error
  };
}

module.exports = {
  toASCII,
  toUnicode
};


/***/ }),

/***/ 23:
/***/ ((module) => {



const combiningMarks = /[\u0300-\u036F\u0483-\u0489\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED\u0711\u0730-\u074A\u07A6-\u07B0\u07EB-\u07F3\u07FD\u0816-\u0819\u081B-\u0823\u0825-\u0827\u0829-\u082D\u0859-\u085B\u0897-\u089F\u08CA-\u08E1\u08E3-\u0903\u093A-\u093C\u093E-\u094F\u0951-\u0957\u0962\u0963\u0981-\u0983\u09BC\u09BE-\u09C4\u09C7\u09C8\u09CB-\u09CD\u09D7\u09E2\u09E3\u09FE\u0A01-\u0A03\u0A3C\u0A3E-\u0A42\u0A47\u0A48\u0A4B-\u0A4D\u0A51\u0A70\u0A71\u0A75\u0A81-\u0A83\u0ABC\u0ABE-\u0AC5\u0AC7-\u0AC9\u0ACB-\u0ACD\u0AE2\u0AE3\u0AFA-\u0AFF\u0B01-\u0B03\u0B3C\u0B3E-\u0B44\u0B47\u0B48\u0B4B-\u0B4D\u0B55-\u0B57\u0B62\u0B63\u0B82\u0BBE-\u0BC2\u0BC6-\u0BC8\u0BCA-\u0BCD\u0BD7\u0C00-\u0C04\u0C3C\u0C3E-\u0C44\u0C46-\u0C48\u0C4A-\u0C4D\u0C55\u0C56\u0C62\u0C63\u0C81-\u0C83\u0CBC\u0CBE-\u0CC4\u0CC6-\u0CC8\u0CCA-\u0CCD\u0CD5\u0CD6\u0CE2\u0CE3\u0CF3\u0D00-\u0D03\u0D3B\u0D3C\u0D3E-\u0D44\u0D46-\u0D48\u0D4A-\u0D4D\u0D57\u0D62\u0D63\u0D81-\u0D83\u0DCA\u0DCF-\u0DD4\u0DD6\u0DD8-\u0DDF\u0DF2\u0DF3\u0E31\u0E34-\u0E3A\u0E47-\u0E4E\u0EB1\u0EB4-\u0EBC\u0EC8-\u0ECE\u0F18\u0F19\u0F35\u0F37\u0F39\u0F3E\u0F3F\u0F71-\u0F84\u0F86\u0F87\u0F8D-\u0F97\u0F99-\u0FBC\u0FC6\u102B-\u103E\u1056-\u1059\u105E-\u1060\u1062-\u1064\u1067-\u106D\u1071-\u1074\u1082-\u108D\u108F\u109A-\u109D\u135D-\u135F\u1712-\u1715\u1732-\u1734\u1752\u1753\u1772\u1773\u17B4-\u17D3\u17DD\u180B-\u180D\u180F\u1885\u1886\u18A9\u1920-\u192B\u1930-\u193B\u1A17-\u1A1B\u1A55-\u1A5E\u1A60-\u1A7C\u1A7F\u1AB0-\u1ADD\u1AE0-\u1AEB\u1B00-\u1B04\u1B34-\u1B44\u1B6B-\u1B73\u1B80-\u1B82\u1BA1-\u1BAD\u1BE6-\u1BF3\u1C24-\u1C37\u1CD0-\u1CD2\u1CD4-\u1CE8\u1CED\u1CF4\u1CF7-\u1CF9\u1DC0-\u1DFF\u20D0-\u20F0\u2CEF-\u2CF1\u2D7F\u2DE0-\u2DFF\u302A-\u302F\u3099\u309A\uA66F-\uA672\uA674-\uA67D\uA69E\uA69F\uA6F0\uA6F1\uA802\uA806\uA80B\uA823-\uA827\uA82C\uA880\uA881\uA8B4-\uA8C5\uA8E0-\uA8F1\uA8FF\uA926-\uA92D\uA947-\uA953\uA980-\uA983\uA9B3-\uA9C0\uA9E5\uAA29-\uAA36\uAA43\uAA4C\uAA4D\uAA7B-\uAA7D\uAAB0\uAAB2-\uAAB4\uAAB7\uAAB8\uAABE\uAABF\uAAC1\uAAEB-\uAAEF\uAAF5\uAAF6\uABE3-\uABEA\uABEC\uABED\uFB1E\uFE00-\uFE0F\uFE20-\uFE2F\u{101FD}\u{102E0}\u{10376}-\u{1037A}\u{10A01}-\u{10A03}\u{10A05}\u{10A06}\u{10A0C}-\u{10A0F}\u{10A38}-\u{10A3A}\u{10A3F}\u{10AE5}\u{10AE6}\u{10D24}-\u{10D27}\u{10D69}-\u{10D6D}\u{10EAB}\u{10EAC}\u{10EFA}-\u{10EFF}\u{10F46}-\u{10F50}\u{10F82}-\u{10F85}\u{11000}-\u{11002}\u{11038}-\u{11046}\u{11070}\u{11073}\u{11074}\u{1107F}-\u{11082}\u{110B0}-\u{110BA}\u{110C2}\u{11100}-\u{11102}\u{11127}-\u{11134}\u{11145}\u{11146}\u{11173}\u{11180}-\u{11182}\u{111B3}-\u{111C0}\u{111C9}-\u{111CC}\u{111CE}\u{111CF}\u{1122C}-\u{11237}\u{1123E}\u{11241}\u{112DF}-\u{112EA}\u{11300}-\u{11303}\u{1133B}\u{1133C}\u{1133E}-\u{11344}\u{11347}\u{11348}\u{1134B}-\u{1134D}\u{11357}\u{11362}\u{11363}\u{11366}-\u{1136C}\u{11370}-\u{11374}\u{113B8}-\u{113C0}\u{113C2}\u{113C5}\u{113C7}-\u{113CA}\u{113CC}-\u{113D0}\u{113D2}\u{113E1}\u{113E2}\u{11435}-\u{11446}\u{1145E}\u{114B0}-\u{114C3}\u{115AF}-\u{115B5}\u{115B8}-\u{115C0}\u{115DC}\u{115DD}\u{11630}-\u{11640}\u{116AB}-\u{116B7}\u{1171D}-\u{1172B}\u{1182C}-\u{1183A}\u{11930}-\u{11935}\u{11937}\u{11938}\u{1193B}-\u{1193E}\u{11940}\u{11942}\u{11943}\u{119D1}-\u{119D7}\u{119DA}-\u{119E0}\u{119E4}\u{11A01}-\u{11A0A}\u{11A33}-\u{11A39}\u{11A3B}-\u{11A3E}\u{11A47}\u{11A51}-\u{11A5B}\u{11A8A}-\u{11A99}\u{11B60}-\u{11B67}\u{11C2F}-\u{11C36}\u{11C38}-\u{11C3F}\u{11C92}-\u{11CA7}\u{11CA9}-\u{11CB6}\u{11D31}-\u{11D36}\u{11D3A}\u{11D3C}\u{11D3D}\u{11D3F}-\u{11D45}\u{11D47}\u{11D8A}-\u{11D8E}\u{11D90}\u{11D91}\u{11D93}-\u{11D97}\u{11EF3}-\u{11EF6}\u{11F00}\u{11F01}\u{11F03}\u{11F34}-\u{11F3A}\u{11F3E}-\u{11F42}\u{11F5A}\u{13440}\u{13447}-\u{13455}\u{1611E}-\u{1612F}\u{16AF0}-\u{16AF4}\u{16B30}-\u{16B36}\u{16F4F}\u{16F51}-\u{16F87}\u{16F8F}-\u{16F92}\u{16FE4}\u{16FF0}\u{16FF1}\u{1BC9D}\u{1BC9E}\u{1CF00}-\u{1CF2D}\u{1CF30}-\u{1CF46}\u{1D165}-\u{1D169}\u{1D16D}-\u{1D172}\u{1D17B}-\u{1D182}\u{1D185}-\u{1D18B}\u{1D1AA}-\u{1D1AD}\u{1D242}-\u{1D244}\u{1DA00}-\u{1DA36}\u{1DA3B}-\u{1DA6C}\u{1DA75}\u{1DA84}\u{1DA9B}-\u{1DA9F}\u{1DAA1}-\u{1DAAF}\u{1E000}-\u{1E006}\u{1E008}-\u{1E018}\u{1E01B}-\u{1E021}\u{1E023}\u{1E024}\u{1E026}-\u{1E02A}\u{1E08F}\u{1E130}-\u{1E136}\u{1E2AE}\u{1E2EC}-\u{1E2EF}\u{1E4EC}-\u{1E4EF}\u{1E5EE}\u{1E5EF}\u{1E6E3}\u{1E6E6}\u{1E6EE}\u{1E6EF}\u{1E6F5}\u{1E8D0}-\u{1E8D6}\u{1E944}-\u{1E94A}\u{E0100}-\u{E01EF}]/u;
const combiningClassVirama = /[\u094D\u09CD\u0A4D\u0ACD\u0B4D\u0BCD\u0C4D\u0CCD\u0D3B\u0D3C\u0D4D\u0DCA\u0E3A\u0EBA\u0F84\u1039\u103A\u1714\u1715\u1734\u17D2\u1A60\u1B44\u1BAA\u1BAB\u1BF2\u1BF3\u2D7F\uA806\uA82C\uA8C4\uA953\uA9C0\uAAF6\uABED\u{10A3F}\u{11046}\u{11070}\u{1107F}\u{110B9}\u{11133}\u{11134}\u{111C0}\u{11235}\u{112EA}\u{1134D}\u{113CE}-\u{113D0}\u{11442}\u{114C2}\u{115BF}\u{1163F}\u{116B6}\u{1172B}\u{11839}\u{1193D}\u{1193E}\u{119E0}\u{11A34}\u{11A47}\u{11A99}\u{11C3F}\u{11D44}\u{11D45}\u{11D97}\u{11F41}\u{11F42}\u{1612F}]/u;
const validZWNJ = /[\u0620\u0626\u0628\u062A-\u062E\u0633-\u063F\u0641-\u0647\u0649\u064A\u066E\u066F\u0678-\u0687\u069A-\u06BF\u06C1\u06C2\u06CC\u06CE\u06D0\u06D1\u06FA-\u06FC\u06FF\u0712-\u0714\u071A-\u071D\u071F-\u0727\u0729\u072B\u072D\u072E\u074E-\u0758\u075C-\u076A\u076D-\u0770\u0772\u0775-\u0777\u077A-\u077F\u07CA-\u07EA\u0841-\u0845\u0848\u084A-\u0853\u0855\u0860\u0862-\u0865\u0868\u0886\u0889-\u088D\u088F\u08A0-\u08A9\u08AF\u08B0\u08B3-\u08B8\u08BA-\u08C8\u1807\u1820-\u1878\u1887-\u18A8\u18AA\uA840-\uA872\u{10AC0}-\u{10AC4}\u{10ACD}\u{10AD3}-\u{10ADC}\u{10ADE}-\u{10AE0}\u{10AEB}-\u{10AEE}\u{10B80}\u{10B82}\u{10B86}-\u{10B88}\u{10B8A}\u{10B8B}\u{10B8D}\u{10B90}\u{10BAD}\u{10BAE}\u{10D00}-\u{10D21}\u{10D23}\u{10EC3}\u{10EC4}\u{10EC6}\u{10EC7}\u{10F30}-\u{10F32}\u{10F34}-\u{10F44}\u{10F51}-\u{10F53}\u{10F70}-\u{10F73}\u{10F76}-\u{10F81}\u{10FB0}\u{10FB2}\u{10FB3}\u{10FB8}\u{10FBB}\u{10FBC}\u{10FBE}\u{10FBF}\u{10FC1}\u{10FC4}\u{10FCA}\u{10FCB}\u{1E900}-\u{1E943}][\xAD\u0300-\u036F\u0483-\u0489\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A\u061C\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED\u070F\u0711\u0730-\u074A\u07A6-\u07B0\u07EB-\u07F3\u07FD\u0816-\u0819\u081B-\u0823\u0825-\u0827\u0829-\u082D\u0859-\u085B\u0897-\u089F\u08CA-\u08E1\u08E3-\u0902\u093A\u093C\u0941-\u0948\u094D\u0951-\u0957\u0962\u0963\u0981\u09BC\u09C1-\u09C4\u09CD\u09E2\u09E3\u09FE\u0A01\u0A02\u0A3C\u0A41\u0A42\u0A47\u0A48\u0A4B-\u0A4D\u0A51\u0A70\u0A71\u0A75\u0A81\u0A82\u0ABC\u0AC1-\u0AC5\u0AC7\u0AC8\u0ACD\u0AE2\u0AE3\u0AFA-\u0AFF\u0B01\u0B3C\u0B3F\u0B41-\u0B44\u0B4D\u0B55\u0B56\u0B62\u0B63\u0B82\u0BC0\u0BCD\u0C00\u0C04\u0C3C\u0C3E-\u0C40\u0C46-\u0C48\u0C4A-\u0C4D\u0C55\u0C56\u0C62\u0C63\u0C81\u0CBC\u0CBF\u0CC6\u0CCC\u0CCD\u0CE2\u0CE3\u0D00\u0D01\u0D3B\u0D3C\u0D41-\u0D44\u0D4D\u0D62\u0D63\u0D81\u0DCA\u0DD2-\u0DD4\u0DD6\u0E31\u0E34-\u0E3A\u0E47-\u0E4E\u0EB1\u0EB4-\u0EBC\u0EC8-\u0ECE\u0F18\u0F19\u0F35\u0F37\u0F39\u0F71-\u0F7E\u0F80-\u0F84\u0F86\u0F87\u0F8D-\u0F97\u0F99-\u0FBC\u0FC6\u102D-\u1030\u1032-\u1037\u1039\u103A\u103D\u103E\u1058\u1059\u105E-\u1060\u1071-\u1074\u1082\u1085\u1086\u108D\u109D\u135D-\u135F\u1712-\u1714\u1732\u1733\u1752\u1753\u1772\u1773\u17B4\u17B5\u17B7-\u17BD\u17C6\u17C9-\u17D3\u17DD\u180B-\u180D\u180F\u1885\u1886\u18A9\u1920-\u1922\u1927\u1928\u1932\u1939-\u193B\u1A17\u1A18\u1A1B\u1A56\u1A58-\u1A5E\u1A60\u1A62\u1A65-\u1A6C\u1A73-\u1A7C\u1A7F\u1AB0-\u1ADD\u1AE0-\u1AEB\u1B00-\u1B03\u1B34\u1B36-\u1B3A\u1B3C\u1B42\u1B6B-\u1B73\u1B80\u1B81\u1BA2-\u1BA5\u1BA8\u1BA9\u1BAB-\u1BAD\u1BE6\u1BE8\u1BE9\u1BED\u1BEF-\u1BF1\u1C2C-\u1C33\u1C36\u1C37\u1CD0-\u1CD2\u1CD4-\u1CE0\u1CE2-\u1CE8\u1CED\u1CF4\u1CF8\u1CF9\u1DC0-\u1DFF\u200B\u200E\u200F\u202A-\u202E\u2060-\u2064\u206A-\u206F\u20D0-\u20F0\u2CEF-\u2CF1\u2D7F\u2DE0-\u2DFF\u302A-\u302D\u3099\u309A\uA66F-\uA672\uA674-\uA67D\uA69E\uA69F\uA6F0\uA6F1\uA802\uA806\uA80B\uA825\uA826\uA82C\uA8C4\uA8C5\uA8E0-\uA8F1\uA8FF\uA926-\uA92D\uA947-\uA951\uA980-\uA982\uA9B3\uA9B6-\uA9B9\uA9BC\uA9BD\uA9E5\uAA29-\uAA2E\uAA31\uAA32\uAA35\uAA36\uAA43\uAA4C\uAA7C\uAAB0\uAAB2-\uAAB4\uAAB7\uAAB8\uAABE\uAABF\uAAC1\uAAEC\uAAED\uAAF6\uABE5\uABE8\uABED\uFB1E\uFE00-\uFE0F\uFE20-\uFE2F\uFEFF\uFFF9-\uFFFB\u{101FD}\u{102E0}\u{10376}-\u{1037A}\u{10A01}-\u{10A03}\u{10A05}\u{10A06}\u{10A0C}-\u{10A0F}\u{10A38}-\u{10A3A}\u{10A3F}\u{10AE5}\u{10AE6}\u{10D24}-\u{10D27}\u{10D69}-\u{10D6D}\u{10EAB}\u{10EAC}\u{10EFA}-\u{10EFF}\u{10F46}-\u{10F50}\u{10F82}-\u{10F85}\u{11001}\u{11038}-\u{11046}\u{11070}\u{11073}\u{11074}\u{1107F}-\u{11081}\u{110B3}-\u{110B6}\u{110B9}\u{110BA}\u{110C2}\u{11100}-\u{11102}\u{11127}-\u{1112B}\u{1112D}-\u{11134}\u{11173}\u{11180}\u{11181}\u{111B6}-\u{111BE}\u{111C9}-\u{111CC}\u{111CF}\u{1122F}-\u{11231}\u{11234}\u{11236}\u{11237}\u{1123E}\u{11241}\u{112DF}\u{112E3}-\u{112EA}\u{11300}\u{11301}\u{1133B}\u{1133C}\u{11340}\u{11366}-\u{1136C}\u{11370}-\u{11374}\u{113BB}-\u{113C0}\u{113CE}\u{113D0}\u{113D2}\u{113E1}\u{113E2}\u{11438}-\u{1143F}\u{11442}-\u{11444}\u{11446}\u{1145E}\u{114B3}-\u{114B8}\u{114BA}\u{114BF}\u{114C0}\u{114C2}\u{114C3}\u{115B2}-\u{115B5}\u{115BC}\u{115BD}\u{115BF}\u{115C0}\u{115DC}\u{115DD}\u{11633}-\u{1163A}\u{1163D}\u{1163F}\u{11640}\u{116AB}\u{116AD}\u{116B0}-\u{116B5}\u{116B7}\u{1171D}\u{1171F}\u{11722}-\u{11725}\u{11727}-\u{1172B}\u{1182F}-\u{11837}\u{11839}\u{1183A}\u{1193B}\u{1193C}\u{1193E}\u{11943}\u{119D4}-\u{119D7}\u{119DA}\u{119DB}\u{119E0}\u{11A01}-\u{11A0A}\u{11A33}-\u{11A38}\u{11A3B}-\u{11A3E}\u{11A47}\u{11A51}-\u{11A56}\u{11A59}-\u{11A5B}\u{11A8A}-\u{11A96}\u{11A98}\u{11A99}\u{11B60}\u{11B62}-\u{11B64}\u{11B66}\u{11C30}-\u{11C36}\u{11C38}-\u{11C3D}\u{11C3F}\u{11C92}-\u{11CA7}\u{11CAA}-\u{11CB0}\u{11CB2}\u{11CB3}\u{11CB5}\u{11CB6}\u{11D31}-\u{11D36}\u{11D3A}\u{11D3C}\u{11D3D}\u{11D3F}-\u{11D45}\u{11D47}\u{11D90}\u{11D91}\u{11D95}\u{11D97}\u{11EF3}\u{11EF4}\u{11F00}\u{11F01}\u{11F36}-\u{11F3A}\u{11F40}\u{11F42}\u{11F5A}\u{13430}-\u{13440}\u{13447}-\u{13455}\u{1611E}-\u{16129}\u{1612D}-\u{1612F}\u{16AF0}-\u{16AF4}\u{16B30}-\u{16B36}\u{16F4F}\u{16F8F}-\u{16F92}\u{16FE4}\u{1BC9D}\u{1BC9E}\u{1BCA0}-\u{1BCA3}\u{1CF00}-\u{1CF2D}\u{1CF30}-\u{1CF46}\u{1D167}-\u{1D169}\u{1D173}-\u{1D182}\u{1D185}-\u{1D18B}\u{1D1AA}-\u{1D1AD}\u{1D242}-\u{1D244}\u{1DA00}-\u{1DA36}\u{1DA3B}-\u{1DA6C}\u{1DA75}\u{1DA84}\u{1DA9B}-\u{1DA9F}\u{1DAA1}-\u{1DAAF}\u{1E000}-\u{1E006}\u{1E008}-\u{1E018}\u{1E01B}-\u{1E021}\u{1E023}\u{1E024}\u{1E026}-\u{1E02A}\u{1E08F}\u{1E130}-\u{1E136}\u{1E2AE}\u{1E2EC}-\u{1E2EF}\u{1E4EC}-\u{1E4EF}\u{1E5EE}\u{1E5EF}\u{1E6E3}\u{1E6E6}\u{1E6EE}\u{1E6EF}\u{1E6F5}\u{1E8D0}-\u{1E8D6}\u{1E944}-\u{1E94B}\u{E0001}\u{E0020}-\u{E007F}\u{E0100}-\u{E01EF}]*\u200C[\xAD\u0300-\u036F\u0483-\u0489\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A\u061C\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED\u070F\u0711\u0730-\u074A\u07A6-\u07B0\u07EB-\u07F3\u07FD\u0816-\u0819\u081B-\u0823\u0825-\u0827\u0829-\u082D\u0859-\u085B\u0897-\u089F\u08CA-\u08E1\u08E3-\u0902\u093A\u093C\u0941-\u0948\u094D\u0951-\u0957\u0962\u0963\u0981\u09BC\u09C1-\u09C4\u09CD\u09E2\u09E3\u09FE\u0A01\u0A02\u0A3C\u0A41\u0A42\u0A47\u0A48\u0A4B-\u0A4D\u0A51\u0A70\u0A71\u0A75\u0A81\u0A82\u0ABC\u0AC1-\u0AC5\u0AC7\u0AC8\u0ACD\u0AE2\u0AE3\u0AFA-\u0AFF\u0B01\u0B3C\u0B3F\u0B41-\u0B44\u0B4D\u0B55\u0B56\u0B62\u0B63\u0B82\u0BC0\u0BCD\u0C00\u0C04\u0C3C\u0C3E-\u0C40\u0C46-\u0C48\u0C4A-\u0C4D\u0C55\u0C56\u0C62\u0C63\u0C81\u0CBC\u0CBF\u0CC6\u0CCC\u0CCD\u0CE2\u0CE3\u0D00\u0D01\u0D3B\u0D3C\u0D41-\u0D44\u0D4D\u0D62\u0D63\u0D81\u0DCA\u0DD2-\u0DD4\u0DD6\u0E31\u0E34-\u0E3A\u0E47-\u0E4E\u0EB1\u0EB4-\u0EBC\u0EC8-\u0ECE\u0F18\u0F19\u0F35\u0F37\u0F39\u0F71-\u0F7E\u0F80-\u0F84\u0F86\u0F87\u0F8D-\u0F97\u0F99-\u0FBC\u0FC6\u102D-\u1030\u1032-\u1037\u1039\u103A\u103D\u103E\u1058\u1059\u105E-\u1060\u1071-\u1074\u1082\u1085\u1086\u108D\u109D\u135D-\u135F\u1712-\u1714\u1732\u1733\u1752\u1753\u1772\u1773\u17B4\u17B5\u17B7-\u17BD\u17C6\u17C9-\u17D3\u17DD\u180B-\u180D\u180F\u1885\u1886\u18A9\u1920-\u1922\u1927\u1928\u1932\u1939-\u193B\u1A17\u1A18\u1A1B\u1A56\u1A58-\u1A5E\u1A60\u1A62\u1A65-\u1A6C\u1A73-\u1A7C\u1A7F\u1AB0-\u1ADD\u1AE0-\u1AEB\u1B00-\u1B03\u1B34\u1B36-\u1B3A\u1B3C\u1B42\u1B6B-\u1B73\u1B80\u1B81\u1BA2-\u1BA5\u1BA8\u1BA9\u1BAB-\u1BAD\u1BE6\u1BE8\u1BE9\u1BED\u1BEF-\u1BF1\u1C2C-\u1C33\u1C36\u1C37\u1CD0-\u1CD2\u1CD4-\u1CE0\u1CE2-\u1CE8\u1CED\u1CF4\u1CF8\u1CF9\u1DC0-\u1DFF\u200B\u200E\u200F\u202A-\u202E\u2060-\u2064\u206A-\u206F\u20D0-\u20F0\u2CEF-\u2CF1\u2D7F\u2DE0-\u2DFF\u302A-\u302D\u3099\u309A\uA66F-\uA672\uA674-\uA67D\uA69E\uA69F\uA6F0\uA6F1\uA802\uA806\uA80B\uA825\uA826\uA82C\uA8C4\uA8C5\uA8E0-\uA8F1\uA8FF\uA926-\uA92D\uA947-\uA951\uA980-\uA982\uA9B3\uA9B6-\uA9B9\uA9BC\uA9BD\uA9E5\uAA29-\uAA2E\uAA31\uAA32\uAA35\uAA36\uAA43\uAA4C\uAA7C\uAAB0\uAAB2-\uAAB4\uAAB7\uAAB8\uAABE\uAABF\uAAC1\uAAEC\uAAED\uAAF6\uABE5\uABE8\uABED\uFB1E\uFE00-\uFE0F\uFE20-\uFE2F\uFEFF\uFFF9-\uFFFB\u{101FD}\u{102E0}\u{10376}-\u{1037A}\u{10A01}-\u{10A03}\u{10A05}\u{10A06}\u{10A0C}-\u{10A0F}\u{10A38}-\u{10A3A}\u{10A3F}\u{10AE5}\u{10AE6}\u{10D24}-\u{10D27}\u{10D69}-\u{10D6D}\u{10EAB}\u{10EAC}\u{10EFA}-\u{10EFF}\u{10F46}-\u{10F50}\u{10F82}-\u{10F85}\u{11001}\u{11038}-\u{11046}\u{11070}\u{11073}\u{11074}\u{1107F}-\u{11081}\u{110B3}-\u{110B6}\u{110B9}\u{110BA}\u{110C2}\u{11100}-\u{11102}\u{11127}-\u{1112B}\u{1112D}-\u{11134}\u{11173}\u{11180}\u{11181}\u{111B6}-\u{111BE}\u{111C9}-\u{111CC}\u{111CF}\u{1122F}-\u{11231}\u{11234}\u{11236}\u{11237}\u{1123E}\u{11241}\u{112DF}\u{112E3}-\u{112EA}\u{11300}\u{11301}\u{1133B}\u{1133C}\u{11340}\u{11366}-\u{1136C}\u{11370}-\u{11374}\u{113BB}-\u{113C0}\u{113CE}\u{113D0}\u{113D2}\u{113E1}\u{113E2}\u{11438}-\u{1143F}\u{11442}-\u{11444}\u{11446}\u{1145E}\u{114B3}-\u{114B8}\u{114BA}\u{114BF}\u{114C0}\u{114C2}\u{114C3}\u{115B2}-\u{115B5}\u{115BC}\u{115BD}\u{115BF}\u{115C0}\u{115DC}\u{115DD}\u{11633}-\u{1163A}\u{1163D}\u{1163F}\u{11640}\u{116AB}\u{116AD}\u{116B0}-\u{116B5}\u{116B7}\u{1171D}\u{1171F}\u{11722}-\u{11725}\u{11727}-\u{1172B}\u{1182F}-\u{11837}\u{11839}\u{1183A}\u{1193B}\u{1193C}\u{1193E}\u{11943}\u{119D4}-\u{119D7}\u{119DA}\u{119DB}\u{119E0}\u{11A01}-\u{11A0A}\u{11A33}-\u{11A38}\u{11A3B}-\u{11A3E}\u{11A47}\u{11A51}-\u{11A56}\u{11A59}-\u{11A5B}\u{11A8A}-\u{11A96}\u{11A98}\u{11A99}\u{11B60}\u{11B62}-\u{11B64}\u{11B66}\u{11C30}-\u{11C36}\u{11C38}-\u{11C3D}\u{11C3F}\u{11C92}-\u{11CA7}\u{11CAA}-\u{11CB0}\u{11CB2}\u{11CB3}\u{11CB5}\u{11CB6}\u{11D31}-\u{11D36}\u{11D3A}\u{11D3C}\u{11D3D}\u{11D3F}-\u{11D45}\u{11D47}\u{11D90}\u{11D91}\u{11D95}\u{11D97}\u{11EF3}\u{11EF4}\u{11F00}\u{11F01}\u{11F36}-\u{11F3A}\u{11F40}\u{11F42}\u{11F5A}\u{13430}-\u{13440}\u{13447}-\u{13455}\u{1611E}-\u{16129}\u{1612D}-\u{1612F}\u{16AF0}-\u{16AF4}\u{16B30}-\u{16B36}\u{16F4F}\u{16F8F}-\u{16F92}\u{16FE4}\u{1BC9D}\u{1BC9E}\u{1BCA0}-\u{1BCA3}\u{1CF00}-\u{1CF2D}\u{1CF30}-\u{1CF46}\u{1D167}-\u{1D169}\u{1D173}-\u{1D182}\u{1D185}-\u{1D18B}\u{1D1AA}-\u{1D1AD}\u{1D242}-\u{1D244}\u{1DA00}-\u{1DA36}\u{1DA3B}-\u{1DA6C}\u{1DA75}\u{1DA84}\u{1DA9B}-\u{1DA9F}\u{1DAA1}-\u{1DAAF}\u{1E000}-\u{1E006}\u{1E008}-\u{1E018}\u{1E01B}-\u{1E021}\u{1E023}\u{1E024}\u{1E026}-\u{1E02A}\u{1E08F}\u{1E130}-\u{1E136}\u{1E2AE}\u{1E2EC}-\u{1E2EF}\u{1E4EC}-\u{1E4EF}\u{1E5EE}\u{1E5EF}\u{1E6E3}\u{1E6E6}\u{1E6EE}\u{1E6EF}\u{1E6F5}\u{1E8D0}-\u{1E8D6}\u{1E944}-\u{1E94B}\u{E0001}\u{E0020}-\u{E007F}\u{E0100}-\u{E01EF}]*[\u0620\u0622-\u063F\u0641-\u064A\u066E\u066F\u0671-\u0673\u0675-\u06D3\u06D5\u06EE\u06EF\u06FA-\u06FC\u06FF\u0710\u0712-\u072F\u074D-\u077F\u07CA-\u07EA\u0840-\u0858\u0860\u0862-\u0865\u0867-\u086A\u0870-\u0882\u0886\u0889-\u088F\u08A0-\u08AC\u08AE-\u08C8\u1807\u1820-\u1878\u1887-\u18A8\u18AA\uA840-\uA871\u{10AC0}-\u{10AC5}\u{10AC7}\u{10AC9}\u{10ACA}\u{10ACE}-\u{10AD6}\u{10AD8}-\u{10AE1}\u{10AE4}\u{10AEB}-\u{10AEF}\u{10B80}-\u{10B91}\u{10BA9}-\u{10BAE}\u{10D01}-\u{10D23}\u{10EC2}-\u{10EC4}\u{10EC6}\u{10EC7}\u{10F30}-\u{10F44}\u{10F51}-\u{10F54}\u{10F70}-\u{10F81}\u{10FB0}\u{10FB2}-\u{10FB6}\u{10FB8}-\u{10FBF}\u{10FC1}-\u{10FC4}\u{10FC9}\u{10FCA}\u{1E900}-\u{1E943}]/u;
const bidiDomain = /[\u05BE\u05C0\u05C3\u05C6\u05D0-\u05EA\u05EF-\u05F4\u0600-\u0605\u0608\u060B\u060D\u061B-\u064A\u0660-\u0669\u066B-\u066F\u0671-\u06D5\u06DD\u06E5\u06E6\u06EE\u06EF\u06FA-\u070D\u070F\u0710\u0712-\u072F\u074D-\u07A5\u07B1\u07C0-\u07EA\u07F4\u07F5\u07FA\u07FE-\u0815\u081A\u0824\u0828\u0830-\u083E\u0840-\u0858\u085E\u0860-\u086A\u0870-\u0891\u08A0-\u08C9\u08E2\u200F\uFB1D\uFB1F-\uFB28\uFB2A-\uFB36\uFB38-\uFB3C\uFB3E\uFB40\uFB41\uFB43\uFB44\uFB46-\uFBC2\uFBD3-\uFD3D\uFD50-\uFD8F\uFD92-\uFDC7\uFDF0-\uFDFC\uFE70-\uFE74\uFE76-\uFEFC\u{10800}-\u{10805}\u{10808}\u{1080A}-\u{10835}\u{10837}\u{10838}\u{1083C}\u{1083F}-\u{10855}\u{10857}-\u{1089E}\u{108A7}-\u{108AF}\u{108E0}-\u{108F2}\u{108F4}\u{108F5}\u{108FB}-\u{1091B}\u{10920}-\u{10939}\u{1093F}-\u{10959}\u{10980}-\u{109B7}\u{109BC}-\u{109CF}\u{109D2}-\u{10A00}\u{10A10}-\u{10A13}\u{10A15}-\u{10A17}\u{10A19}-\u{10A35}\u{10A40}-\u{10A48}\u{10A50}-\u{10A58}\u{10A60}-\u{10A9F}\u{10AC0}-\u{10AE4}\u{10AEB}-\u{10AF6}\u{10B00}-\u{10B35}\u{10B40}-\u{10B55}\u{10B58}-\u{10B72}\u{10B78}-\u{10B91}\u{10B99}-\u{10B9C}\u{10BA9}-\u{10BAF}\u{10C00}-\u{10C48}\u{10C80}-\u{10CB2}\u{10CC0}-\u{10CF2}\u{10CFA}-\u{10D23}\u{10D30}-\u{10D39}\u{10D40}-\u{10D65}\u{10D6F}-\u{10D85}\u{10D8E}\u{10D8F}\u{10E60}-\u{10E7E}\u{10E80}-\u{10EA9}\u{10EAD}\u{10EB0}\u{10EB1}\u{10EC2}-\u{10EC7}\u{10F00}-\u{10F27}\u{10F30}-\u{10F45}\u{10F51}-\u{10F59}\u{10F70}-\u{10F81}\u{10F86}-\u{10F89}\u{10FB0}-\u{10FCB}\u{10FE0}-\u{10FF6}\u{1E800}-\u{1E8C4}\u{1E8C7}-\u{1E8CF}\u{1E900}-\u{1E943}\u{1E94B}\u{1E950}-\u{1E959}\u{1E95E}\u{1E95F}\u{1EC71}-\u{1ECB4}\u{1ED01}-\u{1ED3D}\u{1EE00}-\u{1EE03}\u{1EE05}-\u{1EE1F}\u{1EE21}\u{1EE22}\u{1EE24}\u{1EE27}\u{1EE29}-\u{1EE32}\u{1EE34}-\u{1EE37}\u{1EE39}\u{1EE3B}\u{1EE42}\u{1EE47}\u{1EE49}\u{1EE4B}\u{1EE4D}-\u{1EE4F}\u{1EE51}\u{1EE52}\u{1EE54}\u{1EE57}\u{1EE59}\u{1EE5B}\u{1EE5D}\u{1EE5F}\u{1EE61}\u{1EE62}\u{1EE64}\u{1EE67}-\u{1EE6A}\u{1EE6C}-\u{1EE72}\u{1EE74}-\u{1EE77}\u{1EE79}-\u{1EE7C}\u{1EE7E}\u{1EE80}-\u{1EE89}\u{1EE8B}-\u{1EE9B}\u{1EEA1}-\u{1EEA3}\u{1EEA5}-\u{1EEA9}\u{1EEAB}-\u{1EEBB}]/u;
const bidiS1LTR = /[A-Za-z\xAA\xB5\xBA\xC0-\xD6\xD8-\xF6\xF8-\u02B8\u02BB-\u02C1\u02D0\u02D1\u02E0-\u02E4\u02EE\u0370-\u0373\u0376\u0377\u037A-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0482\u048A-\u052F\u0531-\u0556\u0559-\u0589\u0903-\u0939\u093B\u093D-\u0940\u0949-\u094C\u094E-\u0950\u0958-\u0961\u0964-\u0980\u0982\u0983\u0985-\u098C\u098F\u0990\u0993-\u09A8\u09AA-\u09B0\u09B2\u09B6-\u09B9\u09BD-\u09C0\u09C7\u09C8\u09CB\u09CC\u09CE\u09D7\u09DC\u09DD\u09DF-\u09E1\u09E6-\u09F1\u09F4-\u09FA\u09FC\u09FD\u0A03\u0A05-\u0A0A\u0A0F\u0A10\u0A13-\u0A28\u0A2A-\u0A30\u0A32\u0A33\u0A35\u0A36\u0A38\u0A39\u0A3E-\u0A40\u0A59-\u0A5C\u0A5E\u0A66-\u0A6F\u0A72-\u0A74\u0A76\u0A83\u0A85-\u0A8D\u0A8F-\u0A91\u0A93-\u0AA8\u0AAA-\u0AB0\u0AB2\u0AB3\u0AB5-\u0AB9\u0ABD-\u0AC0\u0AC9\u0ACB\u0ACC\u0AD0\u0AE0\u0AE1\u0AE6-\u0AF0\u0AF9\u0B02\u0B03\u0B05-\u0B0C\u0B0F\u0B10\u0B13-\u0B28\u0B2A-\u0B30\u0B32\u0B33\u0B35-\u0B39\u0B3D\u0B3E\u0B40\u0B47\u0B48\u0B4B\u0B4C\u0B57\u0B5C\u0B5D\u0B5F-\u0B61\u0B66-\u0B77\u0B83\u0B85-\u0B8A\u0B8E-\u0B90\u0B92-\u0B95\u0B99\u0B9A\u0B9C\u0B9E\u0B9F\u0BA3\u0BA4\u0BA8-\u0BAA\u0BAE-\u0BB9\u0BBE\u0BBF\u0BC1\u0BC2\u0BC6-\u0BC8\u0BCA-\u0BCC\u0BD0\u0BD7\u0BE6-\u0BF2\u0C01-\u0C03\u0C05-\u0C0C\u0C0E-\u0C10\u0C12-\u0C28\u0C2A-\u0C39\u0C3D\u0C41-\u0C44\u0C58-\u0C5A\u0C5C\u0C5D\u0C60\u0C61\u0C66-\u0C6F\u0C77\u0C7F\u0C80\u0C82-\u0C8C\u0C8E-\u0C90\u0C92-\u0CA8\u0CAA-\u0CB3\u0CB5-\u0CB9\u0CBD-\u0CC4\u0CC6-\u0CC8\u0CCA\u0CCB\u0CD5\u0CD6\u0CDC-\u0CDE\u0CE0\u0CE1\u0CE6-\u0CEF\u0CF1-\u0CF3\u0D02-\u0D0C\u0D0E-\u0D10\u0D12-\u0D3A\u0D3D-\u0D40\u0D46-\u0D48\u0D4A-\u0D4C\u0D4E\u0D4F\u0D54-\u0D61\u0D66-\u0D7F\u0D82\u0D83\u0D85-\u0D96\u0D9A-\u0DB1\u0DB3-\u0DBB\u0DBD\u0DC0-\u0DC6\u0DCF-\u0DD1\u0DD8-\u0DDF\u0DE6-\u0DEF\u0DF2-\u0DF4\u0E01-\u0E30\u0E32\u0E33\u0E40-\u0E46\u0E4F-\u0E5B\u0E81\u0E82\u0E84\u0E86-\u0E8A\u0E8C-\u0EA3\u0EA5\u0EA7-\u0EB0\u0EB2\u0EB3\u0EBD\u0EC0-\u0EC4\u0EC6\u0ED0-\u0ED9\u0EDC-\u0EDF\u0F00-\u0F17\u0F1A-\u0F34\u0F36\u0F38\u0F3E-\u0F47\u0F49-\u0F6C\u0F7F\u0F85\u0F88-\u0F8C\u0FBE-\u0FC5\u0FC7-\u0FCC\u0FCE-\u0FDA\u1000-\u102C\u1031\u1038\u103B\u103C\u103F-\u1057\u105A-\u105D\u1061-\u1070\u1075-\u1081\u1083\u1084\u1087-\u108C\u108E-\u109C\u109E-\u10C5\u10C7\u10CD\u10D0-\u1248\u124A-\u124D\u1250-\u1256\u1258\u125A-\u125D\u1260-\u1288\u128A-\u128D\u1290-\u12B0\u12B2-\u12B5\u12B8-\u12BE\u12C0\u12C2-\u12C5\u12C8-\u12D6\u12D8-\u1310\u1312-\u1315\u1318-\u135A\u1360-\u137C\u1380-\u138F\u13A0-\u13F5\u13F8-\u13FD\u1401-\u167F\u1681-\u169A\u16A0-\u16F8\u1700-\u1711\u1715\u171F-\u1731\u1734-\u1736\u1740-\u1751\u1760-\u176C\u176E-\u1770\u1780-\u17B3\u17B6\u17BE-\u17C5\u17C7\u17C8\u17D4-\u17DA\u17DC\u17E0-\u17E9\u1810-\u1819\u1820-\u1878\u1880-\u1884\u1887-\u18A8\u18AA\u18B0-\u18F5\u1900-\u191E\u1923-\u1926\u1929-\u192B\u1930\u1931\u1933-\u1938\u1946-\u196D\u1970-\u1974\u1980-\u19AB\u19B0-\u19C9\u19D0-\u19DA\u1A00-\u1A16\u1A19\u1A1A\u1A1E-\u1A55\u1A57\u1A61\u1A63\u1A64\u1A6D-\u1A72\u1A80-\u1A89\u1A90-\u1A99\u1AA0-\u1AAD\u1B04-\u1B33\u1B35\u1B3B\u1B3D-\u1B41\u1B43-\u1B4C\u1B4E-\u1B6A\u1B74-\u1B7F\u1B82-\u1BA1\u1BA6\u1BA7\u1BAA\u1BAE-\u1BE5\u1BE7\u1BEA-\u1BEC\u1BEE\u1BF2\u1BF3\u1BFC-\u1C2B\u1C34\u1C35\u1C3B-\u1C49\u1C4D-\u1C8A\u1C90-\u1CBA\u1CBD-\u1CC7\u1CD3\u1CE1\u1CE9-\u1CEC\u1CEE-\u1CF3\u1CF5-\u1CF7\u1CFA\u1D00-\u1DBF\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u200E\u2071\u207F\u2090-\u209C\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2139\u213C-\u213F\u2145-\u2149\u214E\u214F\u2160-\u2188\u2336-\u237A\u2395\u249C-\u24E9\u26AC\u2800-\u28FF\u2C00-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3\u2D00-\u2D25\u2D27\u2D2D\u2D30-\u2D67\u2D6F\u2D70\u2D80-\u2D96\u2DA0-\u2DA6\u2DA8-\u2DAE\u2DB0-\u2DB6\u2DB8-\u2DBE\u2DC0-\u2DC6\u2DC8-\u2DCE\u2DD0-\u2DD6\u2DD8-\u2DDE\u3005-\u3007\u3021-\u3029\u302E\u302F\u3031-\u3035\u3038-\u303C\u3041-\u3096\u309D-\u309F\u30A1-\u30FA\u30FC-\u30FF\u3105-\u312F\u3131-\u318E\u3190-\u31BF\u31F0-\u321C\u3220-\u324F\u3260-\u327B\u327F-\u32B0\u32C0-\u32CB\u32D0-\u3376\u337B-\u33DD\u33E0-\u33FE\u3400-\u4DBF\u4E00-\uA48C\uA4D0-\uA60C\uA610-\uA62B\uA640-\uA66E\uA680-\uA69D\uA6A0-\uA6EF\uA6F2-\uA6F7\uA722-\uA787\uA789-\uA7DC\uA7F1-\uA801\uA803-\uA805\uA807-\uA80A\uA80C-\uA824\uA827\uA830-\uA837\uA840-\uA873\uA880-\uA8C3\uA8CE-\uA8D9\uA8F2-\uA8FE\uA900-\uA925\uA92E-\uA946\uA952\uA953\uA95F-\uA97C\uA983-\uA9B2\uA9B4\uA9B5\uA9BA\uA9BB\uA9BE-\uA9CD\uA9CF-\uA9D9\uA9DE-\uA9E4\uA9E6-\uA9FE\uAA00-\uAA28\uAA2F\uAA30\uAA33\uAA34\uAA40-\uAA42\uAA44-\uAA4B\uAA4D\uAA50-\uAA59\uAA5C-\uAA7B\uAA7D-\uAAAF\uAAB1\uAAB5\uAAB6\uAAB9-\uAABD\uAAC0\uAAC2\uAADB-\uAAEB\uAAEE-\uAAF5\uAB01-\uAB06\uAB09-\uAB0E\uAB11-\uAB16\uAB20-\uAB26\uAB28-\uAB2E\uAB30-\uAB69\uAB70-\uABE4\uABE6\uABE7\uABE9-\uABEC\uABF0-\uABF9\uAC00-\uD7A3\uD7B0-\uD7C6\uD7CB-\uD7FB\uD800-\uFA6D\uFA70-\uFAD9\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\uFF66-\uFFBE\uFFC2-\uFFC7\uFFCA-\uFFCF\uFFD2-\uFFD7\uFFDA-\uFFDC\u{10000}-\u{1000B}\u{1000D}-\u{10026}\u{10028}-\u{1003A}\u{1003C}\u{1003D}\u{1003F}-\u{1004D}\u{10050}-\u{1005D}\u{10080}-\u{100FA}\u{10100}\u{10102}\u{10107}-\u{10133}\u{10137}-\u{1013F}\u{1018D}\u{1018E}\u{101D0}-\u{101FC}\u{10280}-\u{1029C}\u{102A0}-\u{102D0}\u{10300}-\u{10323}\u{1032D}-\u{1034A}\u{10350}-\u{10375}\u{10380}-\u{1039D}\u{1039F}-\u{103C3}\u{103C8}-\u{103D5}\u{10400}-\u{1049D}\u{104A0}-\u{104A9}\u{104B0}-\u{104D3}\u{104D8}-\u{104FB}\u{10500}-\u{10527}\u{10530}-\u{10563}\u{1056F}-\u{1057A}\u{1057C}-\u{1058A}\u{1058C}-\u{10592}\u{10594}\u{10595}\u{10597}-\u{105A1}\u{105A3}-\u{105B1}\u{105B3}-\u{105B9}\u{105BB}\u{105BC}\u{105C0}-\u{105F3}\u{10600}-\u{10736}\u{10740}-\u{10755}\u{10760}-\u{10767}\u{10780}-\u{10785}\u{10787}-\u{107B0}\u{107B2}-\u{107BA}\u{11000}\u{11002}-\u{11037}\u{11047}-\u{1104D}\u{11066}-\u{1106F}\u{11071}\u{11072}\u{11075}\u{11082}-\u{110B2}\u{110B7}\u{110B8}\u{110BB}-\u{110C1}\u{110CD}\u{110D0}-\u{110E8}\u{110F0}-\u{110F9}\u{11103}-\u{11126}\u{1112C}\u{11136}-\u{11147}\u{11150}-\u{11172}\u{11174}-\u{11176}\u{11182}-\u{111B5}\u{111BF}-\u{111C8}\u{111CD}\u{111CE}\u{111D0}-\u{111DF}\u{111E1}-\u{111F4}\u{11200}-\u{11211}\u{11213}-\u{1122E}\u{11232}\u{11233}\u{11235}\u{11238}-\u{1123D}\u{1123F}\u{11240}\u{11280}-\u{11286}\u{11288}\u{1128A}-\u{1128D}\u{1128F}-\u{1129D}\u{1129F}-\u{112A9}\u{112B0}-\u{112DE}\u{112E0}-\u{112E2}\u{112F0}-\u{112F9}\u{11302}\u{11303}\u{11305}-\u{1130C}\u{1130F}\u{11310}\u{11313}-\u{11328}\u{1132A}-\u{11330}\u{11332}\u{11333}\u{11335}-\u{11339}\u{1133D}-\u{1133F}\u{11341}-\u{11344}\u{11347}\u{11348}\u{1134B}-\u{1134D}\u{11350}\u{11357}\u{1135D}-\u{11363}\u{11380}-\u{11389}\u{1138B}\u{1138E}\u{11390}-\u{113B5}\u{113B7}-\u{113BA}\u{113C2}\u{113C5}\u{113C7}-\u{113CA}\u{113CC}\u{113CD}\u{113CF}\u{113D1}\u{113D3}-\u{113D5}\u{113D7}\u{113D8}\u{11400}-\u{11437}\u{11440}\u{11441}\u{11445}\u{11447}-\u{1145B}\u{1145D}\u{1145F}-\u{11461}\u{11480}-\u{114B2}\u{114B9}\u{114BB}-\u{114BE}\u{114C1}\u{114C4}-\u{114C7}\u{114D0}-\u{114D9}\u{11580}-\u{115B1}\u{115B8}-\u{115BB}\u{115BE}\u{115C1}-\u{115DB}\u{11600}-\u{11632}\u{1163B}\u{1163C}\u{1163E}\u{11641}-\u{11644}\u{11650}-\u{11659}\u{11680}-\u{116AA}\u{116AC}\u{116AE}\u{116AF}\u{116B6}\u{116B8}\u{116B9}\u{116C0}-\u{116C9}\u{116D0}-\u{116E3}\u{11700}-\u{1171A}\u{1171E}\u{11720}\u{11721}\u{11726}\u{11730}-\u{11746}\u{11800}-\u{1182E}\u{11838}\u{1183B}\u{118A0}-\u{118F2}\u{118FF}-\u{11906}\u{11909}\u{1190C}-\u{11913}\u{11915}\u{11916}\u{11918}-\u{11935}\u{11937}\u{11938}\u{1193D}\u{1193F}-\u{11942}\u{11944}-\u{11946}\u{11950}-\u{11959}\u{119A0}-\u{119A7}\u{119AA}-\u{119D3}\u{119DC}-\u{119DF}\u{119E1}-\u{119E4}\u{11A00}\u{11A07}\u{11A08}\u{11A0B}-\u{11A32}\u{11A39}\u{11A3A}\u{11A3F}-\u{11A46}\u{11A50}\u{11A57}\u{11A58}\u{11A5C}-\u{11A89}\u{11A97}\u{11A9A}-\u{11AA2}\u{11AB0}-\u{11AF8}\u{11B00}-\u{11B09}\u{11B61}\u{11B65}\u{11B67}\u{11BC0}-\u{11BE1}\u{11BF0}-\u{11BF9}\u{11C00}-\u{11C08}\u{11C0A}-\u{11C2F}\u{11C3E}-\u{11C45}\u{11C50}-\u{11C6C}\u{11C70}-\u{11C8F}\u{11CA9}\u{11CB1}\u{11CB4}\u{11D00}-\u{11D06}\u{11D08}\u{11D09}\u{11D0B}-\u{11D30}\u{11D46}\u{11D50}-\u{11D59}\u{11D60}-\u{11D65}\u{11D67}\u{11D68}\u{11D6A}-\u{11D8E}\u{11D93}\u{11D94}\u{11D96}\u{11D98}\u{11DA0}-\u{11DA9}\u{11DB0}-\u{11DDB}\u{11DE0}-\u{11DE9}\u{11EE0}-\u{11EF2}\u{11EF5}-\u{11EF8}\u{11F02}-\u{11F10}\u{11F12}-\u{11F35}\u{11F3E}\u{11F3F}\u{11F41}\u{11F43}-\u{11F59}\u{11FB0}\u{11FC0}-\u{11FD4}\u{11FFF}-\u{12399}\u{12400}-\u{1246E}\u{12470}-\u{12474}\u{12480}-\u{12543}\u{12F90}-\u{12FF2}\u{13000}-\u{1343F}\u{13441}-\u{13446}\u{13460}-\u{143FA}\u{14400}-\u{14646}\u{16100}-\u{1611D}\u{1612A}-\u{1612C}\u{16130}-\u{16139}\u{16800}-\u{16A38}\u{16A40}-\u{16A5E}\u{16A60}-\u{16A69}\u{16A6E}-\u{16ABE}\u{16AC0}-\u{16AC9}\u{16AD0}-\u{16AED}\u{16AF5}\u{16B00}-\u{16B2F}\u{16B37}-\u{16B45}\u{16B50}-\u{16B59}\u{16B5B}-\u{16B61}\u{16B63}-\u{16B77}\u{16B7D}-\u{16B8F}\u{16D40}-\u{16D79}\u{16E40}-\u{16E9A}\u{16EA0}-\u{16EB8}\u{16EBB}-\u{16ED3}\u{16F00}-\u{16F4A}\u{16F50}-\u{16F87}\u{16F93}-\u{16F9F}\u{16FE0}\u{16FE1}\u{16FE3}\u{16FF0}-\u{16FF6}\u{17000}-\u{18CD5}\u{18CFF}-\u{18D1E}\u{18D80}-\u{18DF2}\u{1AFF0}-\u{1AFF3}\u{1AFF5}-\u{1AFFB}\u{1AFFD}\u{1AFFE}\u{1B000}-\u{1B122}\u{1B132}\u{1B150}-\u{1B152}\u{1B155}\u{1B164}-\u{1B167}\u{1B170}-\u{1B2FB}\u{1BC00}-\u{1BC6A}\u{1BC70}-\u{1BC7C}\u{1BC80}-\u{1BC88}\u{1BC90}-\u{1BC99}\u{1BC9C}\u{1BC9F}\u{1CCD6}-\u{1CCEF}\u{1CF50}-\u{1CFC3}\u{1D000}-\u{1D0F5}\u{1D100}-\u{1D126}\u{1D129}-\u{1D166}\u{1D16A}-\u{1D172}\u{1D183}\u{1D184}\u{1D18C}-\u{1D1A9}\u{1D1AE}-\u{1D1E8}\u{1D2C0}-\u{1D2D3}\u{1D2E0}-\u{1D2F3}\u{1D360}-\u{1D378}\u{1D400}-\u{1D454}\u{1D456}-\u{1D49C}\u{1D49E}\u{1D49F}\u{1D4A2}\u{1D4A5}\u{1D4A6}\u{1D4A9}-\u{1D4AC}\u{1D4AE}-\u{1D4B9}\u{1D4BB}\u{1D4BD}-\u{1D4C3}\u{1D4C5}-\u{1D505}\u{1D507}-\u{1D50A}\u{1D50D}-\u{1D514}\u{1D516}-\u{1D51C}\u{1D51E}-\u{1D539}\u{1D53B}-\u{1D53E}\u{1D540}-\u{1D544}\u{1D546}\u{1D54A}-\u{1D550}\u{1D552}-\u{1D6A5}\u{1D6A8}-\u{1D6C0}\u{1D6C2}-\u{1D6DA}\u{1D6DC}-\u{1D6FA}\u{1D6FC}-\u{1D714}\u{1D716}-\u{1D734}\u{1D736}-\u{1D74E}\u{1D750}-\u{1D76E}\u{1D770}-\u{1D788}\u{1D78A}-\u{1D7A8}\u{1D7AA}-\u{1D7C2}\u{1D7C4}-\u{1D7CB}\u{1D800}-\u{1D9FF}\u{1DA37}-\u{1DA3A}\u{1DA6D}-\u{1DA74}\u{1DA76}-\u{1DA83}\u{1DA85}-\u{1DA8B}\u{1DF00}-\u{1DF1E}\u{1DF25}-\u{1DF2A}\u{1E030}-\u{1E06D}\u{1E100}-\u{1E12C}\u{1E137}-\u{1E13D}\u{1E140}-\u{1E149}\u{1E14E}\u{1E14F}\u{1E290}-\u{1E2AD}\u{1E2C0}-\u{1E2EB}\u{1E2F0}-\u{1E2F9}\u{1E4D0}-\u{1E4EB}\u{1E4F0}-\u{1E4F9}\u{1E5D0}-\u{1E5ED}\u{1E5F0}-\u{1E5FA}\u{1E5FF}\u{1E6C0}-\u{1E6DE}\u{1E6E0}-\u{1E6E2}\u{1E6E4}\u{1E6E5}\u{1E6E7}-\u{1E6ED}\u{1E6F0}-\u{1E6F4}\u{1E6FE}\u{1E6FF}\u{1E7E0}-\u{1E7E6}\u{1E7E8}-\u{1E7EB}\u{1E7ED}\u{1E7EE}\u{1E7F0}-\u{1E7FE}\u{1F110}-\u{1F12E}\u{1F130}-\u{1F169}\u{1F170}-\u{1F1AC}\u{1F1E6}-\u{1F202}\u{1F210}-\u{1F23B}\u{1F240}-\u{1F248}\u{1F250}\u{1F251}\u{20000}-\u{2A6DF}\u{2A700}-\u{2B81D}\u{2B820}-\u{2CEAD}\u{2CEB0}-\u{2EBE0}\u{2EBF0}-\u{2EE5D}\u{2F800}-\u{2FA1D}\u{30000}-\u{3134A}\u{31350}-\u{33479}\u{F0000}-\u{FFFFD}\u{100000}-\u{10FFFD}]/u;
const bidiS1RTL = /[\u05BE\u05C0\u05C3\u05C6\u05D0-\u05EA\u05EF-\u05F4\u0608\u060B\u060D\u061B-\u064A\u066D-\u066F\u0671-\u06D5\u06E5\u06E6\u06EE\u06EF\u06FA-\u070D\u070F\u0710\u0712-\u072F\u074D-\u07A5\u07B1\u07C0-\u07EA\u07F4\u07F5\u07FA\u07FE-\u0815\u081A\u0824\u0828\u0830-\u083E\u0840-\u0858\u085E\u0860-\u086A\u0870-\u088F\u08A0-\u08C9\u200F\uFB1D\uFB1F-\uFB28\uFB2A-\uFB36\uFB38-\uFB3C\uFB3E\uFB40\uFB41\uFB43\uFB44\uFB46-\uFBC2\uFBD3-\uFD3D\uFD50-\uFD8F\uFD92-\uFDC7\uFDF0-\uFDFC\uFE70-\uFE74\uFE76-\uFEFC\u{10800}-\u{10805}\u{10808}\u{1080A}-\u{10835}\u{10837}\u{10838}\u{1083C}\u{1083F}-\u{10855}\u{10857}-\u{1089E}\u{108A7}-\u{108AF}\u{108E0}-\u{108F2}\u{108F4}\u{108F5}\u{108FB}-\u{1091B}\u{10920}-\u{10939}\u{1093F}-\u{10959}\u{10980}-\u{109B7}\u{109BC}-\u{109CF}\u{109D2}-\u{10A00}\u{10A10}-\u{10A13}\u{10A15}-\u{10A17}\u{10A19}-\u{10A35}\u{10A40}-\u{10A48}\u{10A50}-\u{10A58}\u{10A60}-\u{10A9F}\u{10AC0}-\u{10AE4}\u{10AEB}-\u{10AF6}\u{10B00}-\u{10B35}\u{10B40}-\u{10B55}\u{10B58}-\u{10B72}\u{10B78}-\u{10B91}\u{10B99}-\u{10B9C}\u{10BA9}-\u{10BAF}\u{10C00}-\u{10C48}\u{10C80}-\u{10CB2}\u{10CC0}-\u{10CF2}\u{10CFA}-\u{10D23}\u{10D4A}-\u{10D65}\u{10D6F}-\u{10D85}\u{10D8E}\u{10D8F}\u{10E80}-\u{10EA9}\u{10EAD}\u{10EB0}\u{10EB1}\u{10EC2}-\u{10EC7}\u{10F00}-\u{10F27}\u{10F30}-\u{10F45}\u{10F51}-\u{10F59}\u{10F70}-\u{10F81}\u{10F86}-\u{10F89}\u{10FB0}-\u{10FCB}\u{10FE0}-\u{10FF6}\u{1E800}-\u{1E8C4}\u{1E8C7}-\u{1E8CF}\u{1E900}-\u{1E943}\u{1E94B}\u{1E950}-\u{1E959}\u{1E95E}\u{1E95F}\u{1EC71}-\u{1ECB4}\u{1ED01}-\u{1ED3D}\u{1EE00}-\u{1EE03}\u{1EE05}-\u{1EE1F}\u{1EE21}\u{1EE22}\u{1EE24}\u{1EE27}\u{1EE29}-\u{1EE32}\u{1EE34}-\u{1EE37}\u{1EE39}\u{1EE3B}\u{1EE42}\u{1EE47}\u{1EE49}\u{1EE4B}\u{1EE4D}-\u{1EE4F}\u{1EE51}\u{1EE52}\u{1EE54}\u{1EE57}\u{1EE59}\u{1EE5B}\u{1EE5D}\u{1EE5F}\u{1EE61}\u{1EE62}\u{1EE64}\u{1EE67}-\u{1EE6A}\u{1EE6C}-\u{1EE72}\u{1EE74}-\u{1EE77}\u{1EE79}-\u{1EE7C}\u{1EE7E}\u{1EE80}-\u{1EE89}\u{1EE8B}-\u{1EE9B}\u{1EEA1}-\u{1EEA3}\u{1EEA5}-\u{1EEA9}\u{1EEAB}-\u{1EEBB}]/u;
const bidiS2 = /^[\0-\x08\x0E-\x1B!-@\[-`\{-\x84\x86-\xA9\xAB-\xB4\xB6-\xB9\xBB-\xBF\xD7\xF7\u02B9\u02BA\u02C2-\u02CF\u02D2-\u02DF\u02E5-\u02ED\u02EF-\u036F\u0374\u0375\u037E\u0384\u0385\u0387\u03F6\u0483-\u0489\u058A\u058D-\u058F\u0591-\u05C7\u05D0-\u05EA\u05EF-\u05F4\u0600-\u070D\u070F-\u074A\u074D-\u07B1\u07C0-\u07FA\u07FD-\u082D\u0830-\u083E\u0840-\u085B\u085E\u0860-\u086A\u0870-\u0891\u0897-\u0902\u093A\u093C\u0941-\u0948\u094D\u0951-\u0957\u0962\u0963\u0981\u09BC\u09C1-\u09C4\u09CD\u09E2\u09E3\u09F2\u09F3\u09FB\u09FE\u0A01\u0A02\u0A3C\u0A41\u0A42\u0A47\u0A48\u0A4B-\u0A4D\u0A51\u0A70\u0A71\u0A75\u0A81\u0A82\u0ABC\u0AC1-\u0AC5\u0AC7\u0AC8\u0ACD\u0AE2\u0AE3\u0AF1\u0AFA-\u0AFF\u0B01\u0B3C\u0B3F\u0B41-\u0B44\u0B4D\u0B55\u0B56\u0B62\u0B63\u0B82\u0BC0\u0BCD\u0BF3-\u0BFA\u0C00\u0C04\u0C3C\u0C3E-\u0C40\u0C46-\u0C48\u0C4A-\u0C4D\u0C55\u0C56\u0C62\u0C63\u0C78-\u0C7E\u0C81\u0CBC\u0CCC\u0CCD\u0CE2\u0CE3\u0D00\u0D01\u0D3B\u0D3C\u0D41-\u0D44\u0D4D\u0D62\u0D63\u0D81\u0DCA\u0DD2-\u0DD4\u0DD6\u0E31\u0E34-\u0E3A\u0E3F\u0E47-\u0E4E\u0EB1\u0EB4-\u0EBC\u0EC8-\u0ECE\u0F18\u0F19\u0F35\u0F37\u0F39-\u0F3D\u0F71-\u0F7E\u0F80-\u0F84\u0F86\u0F87\u0F8D-\u0F97\u0F99-\u0FBC\u0FC6\u102D-\u1030\u1032-\u1037\u1039\u103A\u103D\u103E\u1058\u1059\u105E-\u1060\u1071-\u1074\u1082\u1085\u1086\u108D\u109D\u135D-\u135F\u1390-\u1399\u1400\u169B\u169C\u1712-\u1714\u1732\u1733\u1752\u1753\u1772\u1773\u17B4\u17B5\u17B7-\u17BD\u17C6\u17C9-\u17D3\u17DB\u17DD\u17F0-\u17F9\u1800-\u180F\u1885\u1886\u18A9\u1920-\u1922\u1927\u1928\u1932\u1939-\u193B\u1940\u1944\u1945\u19DE-\u19FF\u1A17\u1A18\u1A1B\u1A56\u1A58-\u1A5E\u1A60\u1A62\u1A65-\u1A6C\u1A73-\u1A7C\u1A7F\u1AB0-\u1ADD\u1AE0-\u1AEB\u1B00-\u1B03\u1B34\u1B36-\u1B3A\u1B3C\u1B42\u1B6B-\u1B73\u1B80\u1B81\u1BA2-\u1BA5\u1BA8\u1BA9\u1BAB-\u1BAD\u1BE6\u1BE8\u1BE9\u1BED\u1BEF-\u1BF1\u1C2C-\u1C33\u1C36\u1C37\u1CD0-\u1CD2\u1CD4-\u1CE0\u1CE2-\u1CE8\u1CED\u1CF4\u1CF8\u1CF9\u1DC0-\u1DFF\u1FBD\u1FBF-\u1FC1\u1FCD-\u1FCF\u1FDD-\u1FDF\u1FED-\u1FEF\u1FFD\u1FFE\u200B-\u200D\u200F-\u2027\u202F-\u205E\u2060-\u2064\u206A-\u2070\u2074-\u207E\u2080-\u208E\u20A0-\u20C1\u20D0-\u20F0\u2100\u2101\u2103-\u2106\u2108\u2109\u2114\u2116-\u2118\u211E-\u2123\u2125\u2127\u2129\u212E\u213A\u213B\u2140-\u2144\u214A-\u214D\u2150-\u215F\u2189-\u218B\u2190-\u2335\u237B-\u2394\u2396-\u2429\u2440-\u244A\u2460-\u249B\u24EA-\u26AB\u26AD-\u27FF\u2900-\u2B73\u2B76-\u2BFF\u2CE5-\u2CEA\u2CEF-\u2CF1\u2CF9-\u2CFF\u2D7F\u2DE0-\u2E5D\u2E80-\u2E99\u2E9B-\u2EF3\u2F00-\u2FD5\u2FF0-\u2FFF\u3001-\u3004\u3008-\u3020\u302A-\u302D\u3030\u3036\u3037\u303D-\u303F\u3099-\u309C\u30A0\u30FB\u31C0-\u31E5\u31EF\u321D\u321E\u3250-\u325F\u327C-\u327E\u32B1-\u32BF\u32CC-\u32CF\u3377-\u337A\u33DE\u33DF\u33FF\u4DC0-\u4DFF\uA490-\uA4C6\uA60D-\uA60F\uA66F-\uA67F\uA69E\uA69F\uA6F0\uA6F1\uA700-\uA721\uA788\uA802\uA806\uA80B\uA825\uA826\uA828-\uA82C\uA838\uA839\uA874-\uA877\uA8C4\uA8C5\uA8E0-\uA8F1\uA8FF\uA926-\uA92D\uA947-\uA951\uA980-\uA982\uA9B3\uA9B6-\uA9B9\uA9BC\uA9BD\uA9E5\uAA29-\uAA2E\uAA31\uAA32\uAA35\uAA36\uAA43\uAA4C\uAA7C\uAAB0\uAAB2-\uAAB4\uAAB7\uAAB8\uAABE\uAABF\uAAC1\uAAEC\uAAED\uAAF6\uAB6A\uAB6B\uABE5\uABE8\uABED\uFB1D-\uFB36\uFB38-\uFB3C\uFB3E\uFB40\uFB41\uFB43\uFB44\uFB46-\uFDCF\uFDF0-\uFE19\uFE20-\uFE52\uFE54-\uFE66\uFE68-\uFE6B\uFE70-\uFE74\uFE76-\uFEFC\uFEFF\uFF01-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65\uFFE0-\uFFE6\uFFE8-\uFFEE\uFFF9-\uFFFD\u{10101}\u{10140}-\u{1018C}\u{10190}-\u{1019C}\u{101A0}\u{101FD}\u{102E0}-\u{102FB}\u{10376}-\u{1037A}\u{10800}-\u{10805}\u{10808}\u{1080A}-\u{10835}\u{10837}\u{10838}\u{1083C}\u{1083F}-\u{10855}\u{10857}-\u{1089E}\u{108A7}-\u{108AF}\u{108E0}-\u{108F2}\u{108F4}\u{108F5}\u{108FB}-\u{1091B}\u{1091F}-\u{10939}\u{1093F}-\u{10959}\u{10980}-\u{109B7}\u{109BC}-\u{109CF}\u{109D2}-\u{10A03}\u{10A05}\u{10A06}\u{10A0C}-\u{10A13}\u{10A15}-\u{10A17}\u{10A19}-\u{10A35}\u{10A38}-\u{10A3A}\u{10A3F}-\u{10A48}\u{10A50}-\u{10A58}\u{10A60}-\u{10A9F}\u{10AC0}-\u{10AE6}\u{10AEB}-\u{10AF6}\u{10B00}-\u{10B35}\u{10B39}-\u{10B55}\u{10B58}-\u{10B72}\u{10B78}-\u{10B91}\u{10B99}-\u{10B9C}\u{10BA9}-\u{10BAF}\u{10C00}-\u{10C48}\u{10C80}-\u{10CB2}\u{10CC0}-\u{10CF2}\u{10CFA}-\u{10D27}\u{10D30}-\u{10D39}\u{10D40}-\u{10D65}\u{10D69}-\u{10D85}\u{10D8E}\u{10D8F}\u{10E60}-\u{10E7E}\u{10E80}-\u{10EA9}\u{10EAB}-\u{10EAD}\u{10EB0}\u{10EB1}\u{10EC2}-\u{10EC7}\u{10ED0}-\u{10ED8}\u{10EFA}-\u{10F27}\u{10F30}-\u{10F59}\u{10F70}-\u{10F89}\u{10FB0}-\u{10FCB}\u{10FE0}-\u{10FF6}\u{11001}\u{11038}-\u{11046}\u{11052}-\u{11065}\u{11070}\u{11073}\u{11074}\u{1107F}-\u{11081}\u{110B3}-\u{110B6}\u{110B9}\u{110BA}\u{110C2}\u{11100}-\u{11102}\u{11127}-\u{1112B}\u{1112D}-\u{11134}\u{11173}\u{11180}\u{11181}\u{111B6}-\u{111BE}\u{111C9}-\u{111CC}\u{111CF}\u{1122F}-\u{11231}\u{11234}\u{11236}\u{11237}\u{1123E}\u{11241}\u{112DF}\u{112E3}-\u{112EA}\u{11300}\u{11301}\u{1133B}\u{1133C}\u{11340}\u{11366}-\u{1136C}\u{11370}-\u{11374}\u{113BB}-\u{113C0}\u{113CE}\u{113D0}\u{113D2}\u{113E1}\u{113E2}\u{11438}-\u{1143F}\u{11442}-\u{11444}\u{11446}\u{1145E}\u{114B3}-\u{114B8}\u{114BA}\u{114BF}\u{114C0}\u{114C2}\u{114C3}\u{115B2}-\u{115B5}\u{115BC}\u{115BD}\u{115BF}\u{115C0}\u{115DC}\u{115DD}\u{11633}-\u{1163A}\u{1163D}\u{1163F}\u{11640}\u{11660}-\u{1166C}\u{116AB}\u{116AD}\u{116B0}-\u{116B5}\u{116B7}\u{1171D}\u{1171F}\u{11722}-\u{11725}\u{11727}-\u{1172B}\u{1182F}-\u{11837}\u{11839}\u{1183A}\u{1193B}\u{1193C}\u{1193E}\u{11943}\u{119D4}-\u{119D7}\u{119DA}\u{119DB}\u{119E0}\u{11A01}-\u{11A06}\u{11A09}\u{11A0A}\u{11A33}-\u{11A38}\u{11A3B}-\u{11A3E}\u{11A47}\u{11A51}-\u{11A56}\u{11A59}-\u{11A5B}\u{11A8A}-\u{11A96}\u{11A98}\u{11A99}\u{11B60}\u{11B62}-\u{11B64}\u{11B66}\u{11C30}-\u{11C36}\u{11C38}-\u{11C3D}\u{11C92}-\u{11CA7}\u{11CAA}-\u{11CB0}\u{11CB2}\u{11CB3}\u{11CB5}\u{11CB6}\u{11D31}-\u{11D36}\u{11D3A}\u{11D3C}\u{11D3D}\u{11D3F}-\u{11D45}\u{11D47}\u{11D90}\u{11D91}\u{11D95}\u{11D97}\u{11EF3}\u{11EF4}\u{11F00}\u{11F01}\u{11F36}-\u{11F3A}\u{11F40}\u{11F42}\u{11F5A}\u{11FD5}-\u{11FF1}\u{13440}\u{13447}-\u{13455}\u{1611E}-\u{16129}\u{1612D}-\u{1612F}\u{16AF0}-\u{16AF4}\u{16B30}-\u{16B36}\u{16F4F}\u{16F8F}-\u{16F92}\u{16FE2}\u{16FE4}\u{1BC9D}\u{1BC9E}\u{1BCA0}-\u{1BCA3}\u{1CC00}-\u{1CCD5}\u{1CCF0}-\u{1CCFC}\u{1CD00}-\u{1CEB3}\u{1CEBA}-\u{1CED0}\u{1CEE0}-\u{1CEF0}\u{1CF00}-\u{1CF2D}\u{1CF30}-\u{1CF46}\u{1D167}-\u{1D169}\u{1D173}-\u{1D182}\u{1D185}-\u{1D18B}\u{1D1AA}-\u{1D1AD}\u{1D1E9}\u{1D1EA}\u{1D200}-\u{1D245}\u{1D300}-\u{1D356}\u{1D6C1}\u{1D6DB}\u{1D6FB}\u{1D715}\u{1D735}\u{1D74F}\u{1D76F}\u{1D789}\u{1D7A9}\u{1D7C3}\u{1D7CE}-\u{1D7FF}\u{1DA00}-\u{1DA36}\u{1DA3B}-\u{1DA6C}\u{1DA75}\u{1DA84}\u{1DA9B}-\u{1DA9F}\u{1DAA1}-\u{1DAAF}\u{1E000}-\u{1E006}\u{1E008}-\u{1E018}\u{1E01B}-\u{1E021}\u{1E023}\u{1E024}\u{1E026}-\u{1E02A}\u{1E08F}\u{1E130}-\u{1E136}\u{1E2AE}\u{1E2EC}-\u{1E2EF}\u{1E2FF}\u{1E4EC}-\u{1E4EF}\u{1E5EE}\u{1E5EF}\u{1E6E3}\u{1E6E6}\u{1E6EE}\u{1E6EF}\u{1E6F5}\u{1E800}-\u{1E8C4}\u{1E8C7}-\u{1E8D6}\u{1E900}-\u{1E94B}\u{1E950}-\u{1E959}\u{1E95E}\u{1E95F}\u{1EC71}-\u{1ECB4}\u{1ED01}-\u{1ED3D}\u{1EE00}-\u{1EE03}\u{1EE05}-\u{1EE1F}\u{1EE21}\u{1EE22}\u{1EE24}\u{1EE27}\u{1EE29}-\u{1EE32}\u{1EE34}-\u{1EE37}\u{1EE39}\u{1EE3B}\u{1EE42}\u{1EE47}\u{1EE49}\u{1EE4B}\u{1EE4D}-\u{1EE4F}\u{1EE51}\u{1EE52}\u{1EE54}\u{1EE57}\u{1EE59}\u{1EE5B}\u{1EE5D}\u{1EE5F}\u{1EE61}\u{1EE62}\u{1EE64}\u{1EE67}-\u{1EE6A}\u{1EE6C}-\u{1EE72}\u{1EE74}-\u{1EE77}\u{1EE79}-\u{1EE7C}\u{1EE7E}\u{1EE80}-\u{1EE89}\u{1EE8B}-\u{1EE9B}\u{1EEA1}-\u{1EEA3}\u{1EEA5}-\u{1EEA9}\u{1EEAB}-\u{1EEBB}\u{1EEF0}\u{1EEF1}\u{1F000}-\u{1F02B}\u{1F030}-\u{1F093}\u{1F0A0}-\u{1F0AE}\u{1F0B1}-\u{1F0BF}\u{1F0C1}-\u{1F0CF}\u{1F0D1}-\u{1F0F5}\u{1F100}-\u{1F10F}\u{1F12F}\u{1F16A}-\u{1F16F}\u{1F1AD}\u{1F260}-\u{1F265}\u{1F300}-\u{1F6D8}\u{1F6DC}-\u{1F6EC}\u{1F6F0}-\u{1F6FC}\u{1F700}-\u{1F7D9}\u{1F7E0}-\u{1F7EB}\u{1F7F0}\u{1F800}-\u{1F80B}\u{1F810}-\u{1F847}\u{1F850}-\u{1F859}\u{1F860}-\u{1F887}\u{1F890}-\u{1F8AD}\u{1F8B0}-\u{1F8BB}\u{1F8C0}\u{1F8C1}\u{1F8D0}-\u{1F8D8}\u{1F900}-\u{1FA57}\u{1FA60}-\u{1FA6D}\u{1FA70}-\u{1FA7C}\u{1FA80}-\u{1FA8A}\u{1FA8E}-\u{1FAC6}\u{1FAC8}\u{1FACD}-\u{1FADC}\u{1FADF}-\u{1FAEA}\u{1FAEF}-\u{1FAF8}\u{1FB00}-\u{1FB92}\u{1FB94}-\u{1FBFA}\u{E0001}\u{E0020}-\u{E007F}\u{E0100}-\u{E01EF}]*$/u;
const bidiS3 = /[0-9\xB2\xB3\xB9\u05BE\u05C0\u05C3\u05C6\u05D0-\u05EA\u05EF-\u05F4\u0600-\u0605\u0608\u060B\u060D\u061B-\u064A\u0660-\u0669\u066B-\u066F\u0671-\u06D5\u06DD\u06E5\u06E6\u06EE-\u070D\u070F\u0710\u0712-\u072F\u074D-\u07A5\u07B1\u07C0-\u07EA\u07F4\u07F5\u07FA\u07FE-\u0815\u081A\u0824\u0828\u0830-\u083E\u0840-\u0858\u085E\u0860-\u086A\u0870-\u0891\u08A0-\u08C9\u08E2\u200F\u2070\u2074-\u2079\u2080-\u2089\u2488-\u249B\uFB1D\uFB1F-\uFB28\uFB2A-\uFB36\uFB38-\uFB3C\uFB3E\uFB40\uFB41\uFB43\uFB44\uFB46-\uFBC2\uFBD3-\uFD3D\uFD50-\uFD8F\uFD92-\uFDC7\uFDF0-\uFDFC\uFE70-\uFE74\uFE76-\uFEFC\uFF10-\uFF19\u{102E1}-\u{102FB}\u{10800}-\u{10805}\u{10808}\u{1080A}-\u{10835}\u{10837}\u{10838}\u{1083C}\u{1083F}-\u{10855}\u{10857}-\u{1089E}\u{108A7}-\u{108AF}\u{108E0}-\u{108F2}\u{108F4}\u{108F5}\u{108FB}-\u{1091B}\u{10920}-\u{10939}\u{1093F}-\u{10959}\u{10980}-\u{109B7}\u{109BC}-\u{109CF}\u{109D2}-\u{10A00}\u{10A10}-\u{10A13}\u{10A15}-\u{10A17}\u{10A19}-\u{10A35}\u{10A40}-\u{10A48}\u{10A50}-\u{10A58}\u{10A60}-\u{10A9F}\u{10AC0}-\u{10AE4}\u{10AEB}-\u{10AF6}\u{10B00}-\u{10B35}\u{10B40}-\u{10B55}\u{10B58}-\u{10B72}\u{10B78}-\u{10B91}\u{10B99}-\u{10B9C}\u{10BA9}-\u{10BAF}\u{10C00}-\u{10C48}\u{10C80}-\u{10CB2}\u{10CC0}-\u{10CF2}\u{10CFA}-\u{10D23}\u{10D30}-\u{10D39}\u{10D40}-\u{10D65}\u{10D6F}-\u{10D85}\u{10D8E}\u{10D8F}\u{10E60}-\u{10E7E}\u{10E80}-\u{10EA9}\u{10EAD}\u{10EB0}\u{10EB1}\u{10EC2}-\u{10EC7}\u{10F00}-\u{10F27}\u{10F30}-\u{10F45}\u{10F51}-\u{10F59}\u{10F70}-\u{10F81}\u{10F86}-\u{10F89}\u{10FB0}-\u{10FCB}\u{10FE0}-\u{10FF6}\u{1CCF0}-\u{1CCF9}\u{1D7CE}-\u{1D7FF}\u{1E800}-\u{1E8C4}\u{1E8C7}-\u{1E8CF}\u{1E900}-\u{1E943}\u{1E94B}\u{1E950}-\u{1E959}\u{1E95E}\u{1E95F}\u{1EC71}-\u{1ECB4}\u{1ED01}-\u{1ED3D}\u{1EE00}-\u{1EE03}\u{1EE05}-\u{1EE1F}\u{1EE21}\u{1EE22}\u{1EE24}\u{1EE27}\u{1EE29}-\u{1EE32}\u{1EE34}-\u{1EE37}\u{1EE39}\u{1EE3B}\u{1EE42}\u{1EE47}\u{1EE49}\u{1EE4B}\u{1EE4D}-\u{1EE4F}\u{1EE51}\u{1EE52}\u{1EE54}\u{1EE57}\u{1EE59}\u{1EE5B}\u{1EE5D}\u{1EE5F}\u{1EE61}\u{1EE62}\u{1EE64}\u{1EE67}-\u{1EE6A}\u{1EE6C}-\u{1EE72}\u{1EE74}-\u{1EE77}\u{1EE79}-\u{1EE7C}\u{1EE7E}\u{1EE80}-\u{1EE89}\u{1EE8B}-\u{1EE9B}\u{1EEA1}-\u{1EEA3}\u{1EEA5}-\u{1EEA9}\u{1EEAB}-\u{1EEBB}\u{1F100}-\u{1F10A}\u{1FBF0}-\u{1FBF9}][\u0300-\u036F\u0483-\u0489\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED\u0711\u0730-\u074A\u07A6-\u07B0\u07EB-\u07F3\u07FD\u0816-\u0819\u081B-\u0823\u0825-\u0827\u0829-\u082D\u0859-\u085B\u0897-\u089F\u08CA-\u08E1\u08E3-\u0902\u093A\u093C\u0941-\u0948\u094D\u0951-\u0957\u0962\u0963\u0981\u09BC\u09C1-\u09C4\u09CD\u09E2\u09E3\u09FE\u0A01\u0A02\u0A3C\u0A41\u0A42\u0A47\u0A48\u0A4B-\u0A4D\u0A51\u0A70\u0A71\u0A75\u0A81\u0A82\u0ABC\u0AC1-\u0AC5\u0AC7\u0AC8\u0ACD\u0AE2\u0AE3\u0AFA-\u0AFF\u0B01\u0B3C\u0B3F\u0B41-\u0B44\u0B4D\u0B55\u0B56\u0B62\u0B63\u0B82\u0BC0\u0BCD\u0C00\u0C04\u0C3C\u0C3E-\u0C40\u0C46-\u0C48\u0C4A-\u0C4D\u0C55\u0C56\u0C62\u0C63\u0C81\u0CBC\u0CCC\u0CCD\u0CE2\u0CE3\u0D00\u0D01\u0D3B\u0D3C\u0D41-\u0D44\u0D4D\u0D62\u0D63\u0D81\u0DCA\u0DD2-\u0DD4\u0DD6\u0E31\u0E34-\u0E3A\u0E47-\u0E4E\u0EB1\u0EB4-\u0EBC\u0EC8-\u0ECE\u0F18\u0F19\u0F35\u0F37\u0F39\u0F71-\u0F7E\u0F80-\u0F84\u0F86\u0F87\u0F8D-\u0F97\u0F99-\u0FBC\u0FC6\u102D-\u1030\u1032-\u1037\u1039\u103A\u103D\u103E\u1058\u1059\u105E-\u1060\u1071-\u1074\u1082\u1085\u1086\u108D\u109D\u135D-\u135F\u1712-\u1714\u1732\u1733\u1752\u1753\u1772\u1773\u17B4\u17B5\u17B7-\u17BD\u17C6\u17C9-\u17D3\u17DD\u180B-\u180D\u180F\u1885\u1886\u18A9\u1920-\u1922\u1927\u1928\u1932\u1939-\u193B\u1A17\u1A18\u1A1B\u1A56\u1A58-\u1A5E\u1A60\u1A62\u1A65-\u1A6C\u1A73-\u1A7C\u1A7F\u1AB0-\u1ADD\u1AE0-\u1AEB\u1B00-\u1B03\u1B34\u1B36-\u1B3A\u1B3C\u1B42\u1B6B-\u1B73\u1B80\u1B81\u1BA2-\u1BA5\u1BA8\u1BA9\u1BAB-\u1BAD\u1BE6\u1BE8\u1BE9\u1BED\u1BEF-\u1BF1\u1C2C-\u1C33\u1C36\u1C37\u1CD0-\u1CD2\u1CD4-\u1CE0\u1CE2-\u1CE8\u1CED\u1CF4\u1CF8\u1CF9\u1DC0-\u1DFF\u20D0-\u20F0\u2CEF-\u2CF1\u2D7F\u2DE0-\u2DFF\u302A-\u302D\u3099\u309A\uA66F-\uA672\uA674-\uA67D\uA69E\uA69F\uA6F0\uA6F1\uA802\uA806\uA80B\uA825\uA826\uA82C\uA8C4\uA8C5\uA8E0-\uA8F1\uA8FF\uA926-\uA92D\uA947-\uA951\uA980-\uA982\uA9B3\uA9B6-\uA9B9\uA9BC\uA9BD\uA9E5\uAA29-\uAA2E\uAA31\uAA32\uAA35\uAA36\uAA43\uAA4C\uAA7C\uAAB0\uAAB2-\uAAB4\uAAB7\uAAB8\uAABE\uAABF\uAAC1\uAAEC\uAAED\uAAF6\uABE5\uABE8\uABED\uFB1E\uFE00-\uFE0F\uFE20-\uFE2F\u{101FD}\u{102E0}\u{10376}-\u{1037A}\u{10A01}-\u{10A03}\u{10A05}\u{10A06}\u{10A0C}-\u{10A0F}\u{10A38}-\u{10A3A}\u{10A3F}\u{10AE5}\u{10AE6}\u{10D24}-\u{10D27}\u{10D69}-\u{10D6D}\u{10EAB}\u{10EAC}\u{10EFA}-\u{10EFF}\u{10F46}-\u{10F50}\u{10F82}-\u{10F85}\u{11001}\u{11038}-\u{11046}\u{11070}\u{11073}\u{11074}\u{1107F}-\u{11081}\u{110B3}-\u{110B6}\u{110B9}\u{110BA}\u{110C2}\u{11100}-\u{11102}\u{11127}-\u{1112B}\u{1112D}-\u{11134}\u{11173}\u{11180}\u{11181}\u{111B6}-\u{111BE}\u{111C9}-\u{111CC}\u{111CF}\u{1122F}-\u{11231}\u{11234}\u{11236}\u{11237}\u{1123E}\u{11241}\u{112DF}\u{112E3}-\u{112EA}\u{11300}\u{11301}\u{1133B}\u{1133C}\u{11340}\u{11366}-\u{1136C}\u{11370}-\u{11374}\u{113BB}-\u{113C0}\u{113CE}\u{113D0}\u{113D2}\u{113E1}\u{113E2}\u{11438}-\u{1143F}\u{11442}-\u{11444}\u{11446}\u{1145E}\u{114B3}-\u{114B8}\u{114BA}\u{114BF}\u{114C0}\u{114C2}\u{114C3}\u{115B2}-\u{115B5}\u{115BC}\u{115BD}\u{115BF}\u{115C0}\u{115DC}\u{115DD}\u{11633}-\u{1163A}\u{1163D}\u{1163F}\u{11640}\u{116AB}\u{116AD}\u{116B0}-\u{116B5}\u{116B7}\u{1171D}\u{1171F}\u{11722}-\u{11725}\u{11727}-\u{1172B}\u{1182F}-\u{11837}\u{11839}\u{1183A}\u{1193B}\u{1193C}\u{1193E}\u{11943}\u{119D4}-\u{119D7}\u{119DA}\u{119DB}\u{119E0}\u{11A01}-\u{11A06}\u{11A09}\u{11A0A}\u{11A33}-\u{11A38}\u{11A3B}-\u{11A3E}\u{11A47}\u{11A51}-\u{11A56}\u{11A59}-\u{11A5B}\u{11A8A}-\u{11A96}\u{11A98}\u{11A99}\u{11B60}\u{11B62}-\u{11B64}\u{11B66}\u{11C30}-\u{11C36}\u{11C38}-\u{11C3D}\u{11C92}-\u{11CA7}\u{11CAA}-\u{11CB0}\u{11CB2}\u{11CB3}\u{11CB5}\u{11CB6}\u{11D31}-\u{11D36}\u{11D3A}\u{11D3C}\u{11D3D}\u{11D3F}-\u{11D45}\u{11D47}\u{11D90}\u{11D91}\u{11D95}\u{11D97}\u{11EF3}\u{11EF4}\u{11F00}\u{11F01}\u{11F36}-\u{11F3A}\u{11F40}\u{11F42}\u{11F5A}\u{13440}\u{13447}-\u{13455}\u{1611E}-\u{16129}\u{1612D}-\u{1612F}\u{16AF0}-\u{16AF4}\u{16B30}-\u{16B36}\u{16F4F}\u{16F8F}-\u{16F92}\u{16FE4}\u{1BC9D}\u{1BC9E}\u{1CF00}-\u{1CF2D}\u{1CF30}-\u{1CF46}\u{1D167}-\u{1D169}\u{1D17B}-\u{1D182}\u{1D185}-\u{1D18B}\u{1D1AA}-\u{1D1AD}\u{1D242}-\u{1D244}\u{1DA00}-\u{1DA36}\u{1DA3B}-\u{1DA6C}\u{1DA75}\u{1DA84}\u{1DA9B}-\u{1DA9F}\u{1DAA1}-\u{1DAAF}\u{1E000}-\u{1E006}\u{1E008}-\u{1E018}\u{1E01B}-\u{1E021}\u{1E023}\u{1E024}\u{1E026}-\u{1E02A}\u{1E08F}\u{1E130}-\u{1E136}\u{1E2AE}\u{1E2EC}-\u{1E2EF}\u{1E4EC}-\u{1E4EF}\u{1E5EE}\u{1E5EF}\u{1E6E3}\u{1E6E6}\u{1E6EE}\u{1E6EF}\u{1E6F5}\u{1E8D0}-\u{1E8D6}\u{1E944}-\u{1E94A}\u{E0100}-\u{E01EF}]*$/u;
const bidiS4EN = /[0-9\xB2\xB3\xB9\u06F0-\u06F9\u2070\u2074-\u2079\u2080-\u2089\u2488-\u249B\uFF10-\uFF19\u{102E1}-\u{102FB}\u{1CCF0}-\u{1CCF9}\u{1D7CE}-\u{1D7FF}\u{1F100}-\u{1F10A}\u{1FBF0}-\u{1FBF9}]/u;
const bidiS4AN = /[\u0600-\u0605\u0660-\u0669\u066B\u066C\u06DD\u0890\u0891\u08E2\u{10D30}-\u{10D39}\u{10D40}-\u{10D49}\u{10E60}-\u{10E7E}]/u;
const bidiS5 = /^[\0-\x08\x0E-\x1B!-\x84\x86-\u0377\u037A-\u037F\u0384-\u038A\u038C\u038E-\u03A1\u03A3-\u052F\u0531-\u0556\u0559-\u058A\u058D-\u058F\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0606\u0607\u0609\u060A\u060C\u060E-\u061A\u064B-\u065F\u066A\u0670\u06D6-\u06DC\u06DE-\u06E4\u06E7-\u06ED\u06F0-\u06F9\u0711\u0730-\u074A\u07A6-\u07B0\u07EB-\u07F3\u07F6-\u07F9\u07FD\u0816-\u0819\u081B-\u0823\u0825-\u0827\u0829-\u082D\u0859-\u085B\u0897-\u089F\u08CA-\u08E1\u08E3-\u0983\u0985-\u098C\u098F\u0990\u0993-\u09A8\u09AA-\u09B0\u09B2\u09B6-\u09B9\u09BC-\u09C4\u09C7\u09C8\u09CB-\u09CE\u09D7\u09DC\u09DD\u09DF-\u09E3\u09E6-\u09FE\u0A01-\u0A03\u0A05-\u0A0A\u0A0F\u0A10\u0A13-\u0A28\u0A2A-\u0A30\u0A32\u0A33\u0A35\u0A36\u0A38\u0A39\u0A3C\u0A3E-\u0A42\u0A47\u0A48\u0A4B-\u0A4D\u0A51\u0A59-\u0A5C\u0A5E\u0A66-\u0A76\u0A81-\u0A83\u0A85-\u0A8D\u0A8F-\u0A91\u0A93-\u0AA8\u0AAA-\u0AB0\u0AB2\u0AB3\u0AB5-\u0AB9\u0ABC-\u0AC5\u0AC7-\u0AC9\u0ACB-\u0ACD\u0AD0\u0AE0-\u0AE3\u0AE6-\u0AF1\u0AF9-\u0AFF\u0B01-\u0B03\u0B05-\u0B0C\u0B0F\u0B10\u0B13-\u0B28\u0B2A-\u0B30\u0B32\u0B33\u0B35-\u0B39\u0B3C-\u0B44\u0B47\u0B48\u0B4B-\u0B4D\u0B55-\u0B57\u0B5C\u0B5D\u0B5F-\u0B63\u0B66-\u0B77\u0B82\u0B83\u0B85-\u0B8A\u0B8E-\u0B90\u0B92-\u0B95\u0B99\u0B9A\u0B9C\u0B9E\u0B9F\u0BA3\u0BA4\u0BA8-\u0BAA\u0BAE-\u0BB9\u0BBE-\u0BC2\u0BC6-\u0BC8\u0BCA-\u0BCD\u0BD0\u0BD7\u0BE6-\u0BFA\u0C00-\u0C0C\u0C0E-\u0C10\u0C12-\u0C28\u0C2A-\u0C39\u0C3C-\u0C44\u0C46-\u0C48\u0C4A-\u0C4D\u0C55\u0C56\u0C58-\u0C5A\u0C5C\u0C5D\u0C60-\u0C63\u0C66-\u0C6F\u0C77-\u0C8C\u0C8E-\u0C90\u0C92-\u0CA8\u0CAA-\u0CB3\u0CB5-\u0CB9\u0CBC-\u0CC4\u0CC6-\u0CC8\u0CCA-\u0CCD\u0CD5\u0CD6\u0CDC-\u0CDE\u0CE0-\u0CE3\u0CE6-\u0CEF\u0CF1-\u0CF3\u0D00-\u0D0C\u0D0E-\u0D10\u0D12-\u0D44\u0D46-\u0D48\u0D4A-\u0D4F\u0D54-\u0D63\u0D66-\u0D7F\u0D81-\u0D83\u0D85-\u0D96\u0D9A-\u0DB1\u0DB3-\u0DBB\u0DBD\u0DC0-\u0DC6\u0DCA\u0DCF-\u0DD4\u0DD6\u0DD8-\u0DDF\u0DE6-\u0DEF\u0DF2-\u0DF4\u0E01-\u0E3A\u0E3F-\u0E5B\u0E81\u0E82\u0E84\u0E86-\u0E8A\u0E8C-\u0EA3\u0EA5\u0EA7-\u0EBD\u0EC0-\u0EC4\u0EC6\u0EC8-\u0ECE\u0ED0-\u0ED9\u0EDC-\u0EDF\u0F00-\u0F47\u0F49-\u0F6C\u0F71-\u0F97\u0F99-\u0FBC\u0FBE-\u0FCC\u0FCE-\u0FDA\u1000-\u10C5\u10C7\u10CD\u10D0-\u1248\u124A-\u124D\u1250-\u1256\u1258\u125A-\u125D\u1260-\u1288\u128A-\u128D\u1290-\u12B0\u12B2-\u12B5\u12B8-\u12BE\u12C0\u12C2-\u12C5\u12C8-\u12D6\u12D8-\u1310\u1312-\u1315\u1318-\u135A\u135D-\u137C\u1380-\u1399\u13A0-\u13F5\u13F8-\u13FD\u1400-\u167F\u1681-\u169C\u16A0-\u16F8\u1700-\u1715\u171F-\u1736\u1740-\u1753\u1760-\u176C\u176E-\u1770\u1772\u1773\u1780-\u17DD\u17E0-\u17E9\u17F0-\u17F9\u1800-\u1819\u1820-\u1878\u1880-\u18AA\u18B0-\u18F5\u1900-\u191E\u1920-\u192B\u1930-\u193B\u1940\u1944-\u196D\u1970-\u1974\u1980-\u19AB\u19B0-\u19C9\u19D0-\u19DA\u19DE-\u1A1B\u1A1E-\u1A5E\u1A60-\u1A7C\u1A7F-\u1A89\u1A90-\u1A99\u1AA0-\u1AAD\u1AB0-\u1ADD\u1AE0-\u1AEB\u1B00-\u1B4C\u1B4E-\u1BF3\u1BFC-\u1C37\u1C3B-\u1C49\u1C4D-\u1C8A\u1C90-\u1CBA\u1CBD-\u1CC7\u1CD0-\u1CFA\u1D00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FC4\u1FC6-\u1FD3\u1FD6-\u1FDB\u1FDD-\u1FEF\u1FF2-\u1FF4\u1FF6-\u1FFE\u200B-\u200E\u2010-\u2027\u202F-\u205E\u2060-\u2064\u206A-\u2071\u2074-\u208E\u2090-\u209C\u20A0-\u20C1\u20D0-\u20F0\u2100-\u218B\u2190-\u2429\u2440-\u244A\u2460-\u2B73\u2B76-\u2CF3\u2CF9-\u2D25\u2D27\u2D2D\u2D30-\u2D67\u2D6F\u2D70\u2D7F-\u2D96\u2DA0-\u2DA6\u2DA8-\u2DAE\u2DB0-\u2DB6\u2DB8-\u2DBE\u2DC0-\u2DC6\u2DC8-\u2DCE\u2DD0-\u2DD6\u2DD8-\u2DDE\u2DE0-\u2E5D\u2E80-\u2E99\u2E9B-\u2EF3\u2F00-\u2FD5\u2FF0-\u2FFF\u3001-\u303F\u3041-\u3096\u3099-\u30FF\u3105-\u312F\u3131-\u318E\u3190-\u31E5\u31EF-\u321E\u3220-\uA48C\uA490-\uA4C6\uA4D0-\uA62B\uA640-\uA6F7\uA700-\uA7DC\uA7F1-\uA82C\uA830-\uA839\uA840-\uA877\uA880-\uA8C5\uA8CE-\uA8D9\uA8E0-\uA953\uA95F-\uA97C\uA980-\uA9CD\uA9CF-\uA9D9\uA9DE-\uA9FE\uAA00-\uAA36\uAA40-\uAA4D\uAA50-\uAA59\uAA5C-\uAAC2\uAADB-\uAAF6\uAB01-\uAB06\uAB09-\uAB0E\uAB11-\uAB16\uAB20-\uAB26\uAB28-\uAB2E\uAB30-\uAB6B\uAB70-\uABED\uABF0-\uABF9\uAC00-\uD7A3\uD7B0-\uD7C6\uD7CB-\uD7FB\uD800-\uFA6D\uFA70-\uFAD9\uFB00-\uFB06\uFB13-\uFB17\uFB1E\uFB29\uFBC3-\uFBD2\uFD3E-\uFD4F\uFD90\uFD91\uFDC8-\uFDCF\uFDFD-\uFE19\uFE20-\uFE52\uFE54-\uFE66\uFE68-\uFE6B\uFEFF\uFF01-\uFFBE\uFFC2-\uFFC7\uFFCA-\uFFCF\uFFD2-\uFFD7\uFFDA-\uFFDC\uFFE0-\uFFE6\uFFE8-\uFFEE\uFFF9-\uFFFD\u{10000}-\u{1000B}\u{1000D}-\u{10026}\u{10028}-\u{1003A}\u{1003C}\u{1003D}\u{1003F}-\u{1004D}\u{10050}-\u{1005D}\u{10080}-\u{100FA}\u{10100}-\u{10102}\u{10107}-\u{10133}\u{10137}-\u{1018E}\u{10190}-\u{1019C}\u{101A0}\u{101D0}-\u{101FD}\u{10280}-\u{1029C}\u{102A0}-\u{102D0}\u{102E0}-\u{102FB}\u{10300}-\u{10323}\u{1032D}-\u{1034A}\u{10350}-\u{1037A}\u{10380}-\u{1039D}\u{1039F}-\u{103C3}\u{103C8}-\u{103D5}\u{10400}-\u{1049D}\u{104A0}-\u{104A9}\u{104B0}-\u{104D3}\u{104D8}-\u{104FB}\u{10500}-\u{10527}\u{10530}-\u{10563}\u{1056F}-\u{1057A}\u{1057C}-\u{1058A}\u{1058C}-\u{10592}\u{10594}\u{10595}\u{10597}-\u{105A1}\u{105A3}-\u{105B1}\u{105B3}-\u{105B9}\u{105BB}\u{105BC}\u{105C0}-\u{105F3}\u{10600}-\u{10736}\u{10740}-\u{10755}\u{10760}-\u{10767}\u{10780}-\u{10785}\u{10787}-\u{107B0}\u{107B2}-\u{107BA}\u{1091F}\u{10A01}-\u{10A03}\u{10A05}\u{10A06}\u{10A0C}-\u{10A0F}\u{10A38}-\u{10A3A}\u{10A3F}\u{10AE5}\u{10AE6}\u{10B39}-\u{10B3F}\u{10D24}-\u{10D27}\u{10D69}-\u{10D6E}\u{10EAB}\u{10EAC}\u{10ED0}-\u{10ED8}\u{10EFA}-\u{10EFF}\u{10F46}-\u{10F50}\u{10F82}-\u{10F85}\u{11000}-\u{1104D}\u{11052}-\u{11075}\u{1107F}-\u{110C2}\u{110CD}\u{110D0}-\u{110E8}\u{110F0}-\u{110F9}\u{11100}-\u{11134}\u{11136}-\u{11147}\u{11150}-\u{11176}\u{11180}-\u{111DF}\u{111E1}-\u{111F4}\u{11200}-\u{11211}\u{11213}-\u{11241}\u{11280}-\u{11286}\u{11288}\u{1128A}-\u{1128D}\u{1128F}-\u{1129D}\u{1129F}-\u{112A9}\u{112B0}-\u{112EA}\u{112F0}-\u{112F9}\u{11300}-\u{11303}\u{11305}-\u{1130C}\u{1130F}\u{11310}\u{11313}-\u{11328}\u{1132A}-\u{11330}\u{11332}\u{11333}\u{11335}-\u{11339}\u{1133B}-\u{11344}\u{11347}\u{11348}\u{1134B}-\u{1134D}\u{11350}\u{11357}\u{1135D}-\u{11363}\u{11366}-\u{1136C}\u{11370}-\u{11374}\u{11380}-\u{11389}\u{1138B}\u{1138E}\u{11390}-\u{113B5}\u{113B7}-\u{113C0}\u{113C2}\u{113C5}\u{113C7}-\u{113CA}\u{113CC}-\u{113D5}\u{113D7}\u{113D8}\u{113E1}\u{113E2}\u{11400}-\u{1145B}\u{1145D}-\u{11461}\u{11480}-\u{114C7}\u{114D0}-\u{114D9}\u{11580}-\u{115B5}\u{115B8}-\u{115DD}\u{11600}-\u{11644}\u{11650}-\u{11659}\u{11660}-\u{1166C}\u{11680}-\u{116B9}\u{116C0}-\u{116C9}\u{116D0}-\u{116E3}\u{11700}-\u{1171A}\u{1171D}-\u{1172B}\u{11730}-\u{11746}\u{11800}-\u{1183B}\u{118A0}-\u{118F2}\u{118FF}-\u{11906}\u{11909}\u{1190C}-\u{11913}\u{11915}\u{11916}\u{11918}-\u{11935}\u{11937}\u{11938}\u{1193B}-\u{11946}\u{11950}-\u{11959}\u{119A0}-\u{119A7}\u{119AA}-\u{119D7}\u{119DA}-\u{119E4}\u{11A00}-\u{11A47}\u{11A50}-\u{11AA2}\u{11AB0}-\u{11AF8}\u{11B00}-\u{11B09}\u{11B60}-\u{11B67}\u{11BC0}-\u{11BE1}\u{11BF0}-\u{11BF9}\u{11C00}-\u{11C08}\u{11C0A}-\u{11C36}\u{11C38}-\u{11C45}\u{11C50}-\u{11C6C}\u{11C70}-\u{11C8F}\u{11C92}-\u{11CA7}\u{11CA9}-\u{11CB6}\u{11D00}-\u{11D06}\u{11D08}\u{11D09}\u{11D0B}-\u{11D36}\u{11D3A}\u{11D3C}\u{11D3D}\u{11D3F}-\u{11D47}\u{11D50}-\u{11D59}\u{11D60}-\u{11D65}\u{11D67}\u{11D68}\u{11D6A}-\u{11D8E}\u{11D90}\u{11D91}\u{11D93}-\u{11D98}\u{11DA0}-\u{11DA9}\u{11DB0}-\u{11DDB}\u{11DE0}-\u{11DE9}\u{11EE0}-\u{11EF8}\u{11F00}-\u{11F10}\u{11F12}-\u{11F3A}\u{11F3E}-\u{11F5A}\u{11FB0}\u{11FC0}-\u{11FF1}\u{11FFF}-\u{12399}\u{12400}-\u{1246E}\u{12470}-\u{12474}\u{12480}-\u{12543}\u{12F90}-\u{12FF2}\u{13000}-\u{13455}\u{13460}-\u{143FA}\u{14400}-\u{14646}\u{16100}-\u{16139}\u{16800}-\u{16A38}\u{16A40}-\u{16A5E}\u{16A60}-\u{16A69}\u{16A6E}-\u{16ABE}\u{16AC0}-\u{16AC9}\u{16AD0}-\u{16AED}\u{16AF0}-\u{16AF5}\u{16B00}-\u{16B45}\u{16B50}-\u{16B59}\u{16B5B}-\u{16B61}\u{16B63}-\u{16B77}\u{16B7D}-\u{16B8F}\u{16D40}-\u{16D79}\u{16E40}-\u{16E9A}\u{16EA0}-\u{16EB8}\u{16EBB}-\u{16ED3}\u{16F00}-\u{16F4A}\u{16F4F}-\u{16F87}\u{16F8F}-\u{16F9F}\u{16FE0}-\u{16FE4}\u{16FF0}-\u{16FF6}\u{17000}-\u{18CD5}\u{18CFF}-\u{18D1E}\u{18D80}-\u{18DF2}\u{1AFF0}-\u{1AFF3}\u{1AFF5}-\u{1AFFB}\u{1AFFD}\u{1AFFE}\u{1B000}-\u{1B122}\u{1B132}\u{1B150}-\u{1B152}\u{1B155}\u{1B164}-\u{1B167}\u{1B170}-\u{1B2FB}\u{1BC00}-\u{1BC6A}\u{1BC70}-\u{1BC7C}\u{1BC80}-\u{1BC88}\u{1BC90}-\u{1BC99}\u{1BC9C}-\u{1BCA3}\u{1CC00}-\u{1CCFC}\u{1CD00}-\u{1CEB3}\u{1CEBA}-\u{1CED0}\u{1CEE0}-\u{1CEF0}\u{1CF00}-\u{1CF2D}\u{1CF30}-\u{1CF46}\u{1CF50}-\u{1CFC3}\u{1D000}-\u{1D0F5}\u{1D100}-\u{1D126}\u{1D129}-\u{1D1EA}\u{1D200}-\u{1D245}\u{1D2C0}-\u{1D2D3}\u{1D2E0}-\u{1D2F3}\u{1D300}-\u{1D356}\u{1D360}-\u{1D378}\u{1D400}-\u{1D454}\u{1D456}-\u{1D49C}\u{1D49E}\u{1D49F}\u{1D4A2}\u{1D4A5}\u{1D4A6}\u{1D4A9}-\u{1D4AC}\u{1D4AE}-\u{1D4B9}\u{1D4BB}\u{1D4BD}-\u{1D4C3}\u{1D4C5}-\u{1D505}\u{1D507}-\u{1D50A}\u{1D50D}-\u{1D514}\u{1D516}-\u{1D51C}\u{1D51E}-\u{1D539}\u{1D53B}-\u{1D53E}\u{1D540}-\u{1D544}\u{1D546}\u{1D54A}-\u{1D550}\u{1D552}-\u{1D6A5}\u{1D6A8}-\u{1D7CB}\u{1D7CE}-\u{1DA8B}\u{1DA9B}-\u{1DA9F}\u{1DAA1}-\u{1DAAF}\u{1DF00}-\u{1DF1E}\u{1DF25}-\u{1DF2A}\u{1E000}-\u{1E006}\u{1E008}-\u{1E018}\u{1E01B}-\u{1E021}\u{1E023}\u{1E024}\u{1E026}-\u{1E02A}\u{1E030}-\u{1E06D}\u{1E08F}\u{1E100}-\u{1E12C}\u{1E130}-\u{1E13D}\u{1E140}-\u{1E149}\u{1E14E}\u{1E14F}\u{1E290}-\u{1E2AE}\u{1E2C0}-\u{1E2F9}\u{1E2FF}\u{1E4D0}-\u{1E4F9}\u{1E5D0}-\u{1E5FA}\u{1E5FF}\u{1E6C0}-\u{1E6DE}\u{1E6E0}-\u{1E6F5}\u{1E6FE}\u{1E6FF}\u{1E7E0}-\u{1E7E6}\u{1E7E8}-\u{1E7EB}\u{1E7ED}\u{1E7EE}\u{1E7F0}-\u{1E7FE}\u{1E8D0}-\u{1E8D6}\u{1E944}-\u{1E94A}\u{1EEF0}\u{1EEF1}\u{1F000}-\u{1F02B}\u{1F030}-\u{1F093}\u{1F0A0}-\u{1F0AE}\u{1F0B1}-\u{1F0BF}\u{1F0C1}-\u{1F0CF}\u{1F0D1}-\u{1F0F5}\u{1F100}-\u{1F1AD}\u{1F1E6}-\u{1F202}\u{1F210}-\u{1F23B}\u{1F240}-\u{1F248}\u{1F250}\u{1F251}\u{1F260}-\u{1F265}\u{1F300}-\u{1F6D8}\u{1F6DC}-\u{1F6EC}\u{1F6F0}-\u{1F6FC}\u{1F700}-\u{1F7D9}\u{1F7E0}-\u{1F7EB}\u{1F7F0}\u{1F800}-\u{1F80B}\u{1F810}-\u{1F847}\u{1F850}-\u{1F859}\u{1F860}-\u{1F887}\u{1F890}-\u{1F8AD}\u{1F8B0}-\u{1F8BB}\u{1F8C0}\u{1F8C1}\u{1F8D0}-\u{1F8D8}\u{1F900}-\u{1FA57}\u{1FA60}-\u{1FA6D}\u{1FA70}-\u{1FA7C}\u{1FA80}-\u{1FA8A}\u{1FA8E}-\u{1FAC6}\u{1FAC8}\u{1FACD}-\u{1FADC}\u{1FADF}-\u{1FAEA}\u{1FAEF}-\u{1FAF8}\u{1FB00}-\u{1FB92}\u{1FB94}-\u{1FBFA}\u{20000}-\u{2A6DF}\u{2A700}-\u{2B81D}\u{2B820}-\u{2CEAD}\u{2CEB0}-\u{2EBE0}\u{2EBF0}-\u{2EE5D}\u{2F800}-\u{2FA1D}\u{30000}-\u{3134A}\u{31350}-\u{33479}\u{E0001}\u{E0020}-\u{E007F}\u{E0100}-\u{E01EF}\u{F0000}-\u{FFFFD}\u{100000}-\u{10FFFD}]*$/u;
const bidiS6 = /[0-9A-Za-z\xAA\xB2\xB3\xB5\xB9\xBA\xC0-\xD6\xD8-\xF6\xF8-\u02B8\u02BB-\u02C1\u02D0\u02D1\u02E0-\u02E4\u02EE\u0370-\u0373\u0376\u0377\u037A-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0482\u048A-\u052F\u0531-\u0556\u0559-\u0589\u06F0-\u06F9\u0903-\u0939\u093B\u093D-\u0940\u0949-\u094C\u094E-\u0950\u0958-\u0961\u0964-\u0980\u0982\u0983\u0985-\u098C\u098F\u0990\u0993-\u09A8\u09AA-\u09B0\u09B2\u09B6-\u09B9\u09BD-\u09C0\u09C7\u09C8\u09CB\u09CC\u09CE\u09D7\u09DC\u09DD\u09DF-\u09E1\u09E6-\u09F1\u09F4-\u09FA\u09FC\u09FD\u0A03\u0A05-\u0A0A\u0A0F\u0A10\u0A13-\u0A28\u0A2A-\u0A30\u0A32\u0A33\u0A35\u0A36\u0A38\u0A39\u0A3E-\u0A40\u0A59-\u0A5C\u0A5E\u0A66-\u0A6F\u0A72-\u0A74\u0A76\u0A83\u0A85-\u0A8D\u0A8F-\u0A91\u0A93-\u0AA8\u0AAA-\u0AB0\u0AB2\u0AB3\u0AB5-\u0AB9\u0ABD-\u0AC0\u0AC9\u0ACB\u0ACC\u0AD0\u0AE0\u0AE1\u0AE6-\u0AF0\u0AF9\u0B02\u0B03\u0B05-\u0B0C\u0B0F\u0B10\u0B13-\u0B28\u0B2A-\u0B30\u0B32\u0B33\u0B35-\u0B39\u0B3D\u0B3E\u0B40\u0B47\u0B48\u0B4B\u0B4C\u0B57\u0B5C\u0B5D\u0B5F-\u0B61\u0B66-\u0B77\u0B83\u0B85-\u0B8A\u0B8E-\u0B90\u0B92-\u0B95\u0B99\u0B9A\u0B9C\u0B9E\u0B9F\u0BA3\u0BA4\u0BA8-\u0BAA\u0BAE-\u0BB9\u0BBE\u0BBF\u0BC1\u0BC2\u0BC6-\u0BC8\u0BCA-\u0BCC\u0BD0\u0BD7\u0BE6-\u0BF2\u0C01-\u0C03\u0C05-\u0C0C\u0C0E-\u0C10\u0C12-\u0C28\u0C2A-\u0C39\u0C3D\u0C41-\u0C44\u0C58-\u0C5A\u0C5C\u0C5D\u0C60\u0C61\u0C66-\u0C6F\u0C77\u0C7F\u0C80\u0C82-\u0C8C\u0C8E-\u0C90\u0C92-\u0CA8\u0CAA-\u0CB3\u0CB5-\u0CB9\u0CBD-\u0CC4\u0CC6-\u0CC8\u0CCA\u0CCB\u0CD5\u0CD6\u0CDC-\u0CDE\u0CE0\u0CE1\u0CE6-\u0CEF\u0CF1-\u0CF3\u0D02-\u0D0C\u0D0E-\u0D10\u0D12-\u0D3A\u0D3D-\u0D40\u0D46-\u0D48\u0D4A-\u0D4C\u0D4E\u0D4F\u0D54-\u0D61\u0D66-\u0D7F\u0D82\u0D83\u0D85-\u0D96\u0D9A-\u0DB1\u0DB3-\u0DBB\u0DBD\u0DC0-\u0DC6\u0DCF-\u0DD1\u0DD8-\u0DDF\u0DE6-\u0DEF\u0DF2-\u0DF4\u0E01-\u0E30\u0E32\u0E33\u0E40-\u0E46\u0E4F-\u0E5B\u0E81\u0E82\u0E84\u0E86-\u0E8A\u0E8C-\u0EA3\u0EA5\u0EA7-\u0EB0\u0EB2\u0EB3\u0EBD\u0EC0-\u0EC4\u0EC6\u0ED0-\u0ED9\u0EDC-\u0EDF\u0F00-\u0F17\u0F1A-\u0F34\u0F36\u0F38\u0F3E-\u0F47\u0F49-\u0F6C\u0F7F\u0F85\u0F88-\u0F8C\u0FBE-\u0FC5\u0FC7-\u0FCC\u0FCE-\u0FDA\u1000-\u102C\u1031\u1038\u103B\u103C\u103F-\u1057\u105A-\u105D\u1061-\u1070\u1075-\u1081\u1083\u1084\u1087-\u108C\u108E-\u109C\u109E-\u10C5\u10C7\u10CD\u10D0-\u1248\u124A-\u124D\u1250-\u1256\u1258\u125A-\u125D\u1260-\u1288\u128A-\u128D\u1290-\u12B0\u12B2-\u12B5\u12B8-\u12BE\u12C0\u12C2-\u12C5\u12C8-\u12D6\u12D8-\u1310\u1312-\u1315\u1318-\u135A\u1360-\u137C\u1380-\u138F\u13A0-\u13F5\u13F8-\u13FD\u1401-\u167F\u1681-\u169A\u16A0-\u16F8\u1700-\u1711\u1715\u171F-\u1731\u1734-\u1736\u1740-\u1751\u1760-\u176C\u176E-\u1770\u1780-\u17B3\u17B6\u17BE-\u17C5\u17C7\u17C8\u17D4-\u17DA\u17DC\u17E0-\u17E9\u1810-\u1819\u1820-\u1878\u1880-\u1884\u1887-\u18A8\u18AA\u18B0-\u18F5\u1900-\u191E\u1923-\u1926\u1929-\u192B\u1930\u1931\u1933-\u1938\u1946-\u196D\u1970-\u1974\u1980-\u19AB\u19B0-\u19C9\u19D0-\u19DA\u1A00-\u1A16\u1A19\u1A1A\u1A1E-\u1A55\u1A57\u1A61\u1A63\u1A64\u1A6D-\u1A72\u1A80-\u1A89\u1A90-\u1A99\u1AA0-\u1AAD\u1B04-\u1B33\u1B35\u1B3B\u1B3D-\u1B41\u1B43-\u1B4C\u1B4E-\u1B6A\u1B74-\u1B7F\u1B82-\u1BA1\u1BA6\u1BA7\u1BAA\u1BAE-\u1BE5\u1BE7\u1BEA-\u1BEC\u1BEE\u1BF2\u1BF3\u1BFC-\u1C2B\u1C34\u1C35\u1C3B-\u1C49\u1C4D-\u1C8A\u1C90-\u1CBA\u1CBD-\u1CC7\u1CD3\u1CE1\u1CE9-\u1CEC\u1CEE-\u1CF3\u1CF5-\u1CF7\u1CFA\u1D00-\u1DBF\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u200E\u2070\u2071\u2074-\u2079\u207F-\u2089\u2090-\u209C\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2139\u213C-\u213F\u2145-\u2149\u214E\u214F\u2160-\u2188\u2336-\u237A\u2395\u2488-\u24E9\u26AC\u2800-\u28FF\u2C00-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3\u2D00-\u2D25\u2D27\u2D2D\u2D30-\u2D67\u2D6F\u2D70\u2D80-\u2D96\u2DA0-\u2DA6\u2DA8-\u2DAE\u2DB0-\u2DB6\u2DB8-\u2DBE\u2DC0-\u2DC6\u2DC8-\u2DCE\u2DD0-\u2DD6\u2DD8-\u2DDE\u3005-\u3007\u3021-\u3029\u302E\u302F\u3031-\u3035\u3038-\u303C\u3041-\u3096\u309D-\u309F\u30A1-\u30FA\u30FC-\u30FF\u3105-\u312F\u3131-\u318E\u3190-\u31BF\u31F0-\u321C\u3220-\u324F\u3260-\u327B\u327F-\u32B0\u32C0-\u32CB\u32D0-\u3376\u337B-\u33DD\u33E0-\u33FE\u3400-\u4DBF\u4E00-\uA48C\uA4D0-\uA60C\uA610-\uA62B\uA640-\uA66E\uA680-\uA69D\uA6A0-\uA6EF\uA6F2-\uA6F7\uA722-\uA787\uA789-\uA7DC\uA7F1-\uA801\uA803-\uA805\uA807-\uA80A\uA80C-\uA824\uA827\uA830-\uA837\uA840-\uA873\uA880-\uA8C3\uA8CE-\uA8D9\uA8F2-\uA8FE\uA900-\uA925\uA92E-\uA946\uA952\uA953\uA95F-\uA97C\uA983-\uA9B2\uA9B4\uA9B5\uA9BA\uA9BB\uA9BE-\uA9CD\uA9CF-\uA9D9\uA9DE-\uA9E4\uA9E6-\uA9FE\uAA00-\uAA28\uAA2F\uAA30\uAA33\uAA34\uAA40-\uAA42\uAA44-\uAA4B\uAA4D\uAA50-\uAA59\uAA5C-\uAA7B\uAA7D-\uAAAF\uAAB1\uAAB5\uAAB6\uAAB9-\uAABD\uAAC0\uAAC2\uAADB-\uAAEB\uAAEE-\uAAF5\uAB01-\uAB06\uAB09-\uAB0E\uAB11-\uAB16\uAB20-\uAB26\uAB28-\uAB2E\uAB30-\uAB69\uAB70-\uABE4\uABE6\uABE7\uABE9-\uABEC\uABF0-\uABF9\uAC00-\uD7A3\uD7B0-\uD7C6\uD7CB-\uD7FB\uD800-\uFA6D\uFA70-\uFAD9\uFB00-\uFB06\uFB13-\uFB17\uFF10-\uFF19\uFF21-\uFF3A\uFF41-\uFF5A\uFF66-\uFFBE\uFFC2-\uFFC7\uFFCA-\uFFCF\uFFD2-\uFFD7\uFFDA-\uFFDC\u{10000}-\u{1000B}\u{1000D}-\u{10026}\u{10028}-\u{1003A}\u{1003C}\u{1003D}\u{1003F}-\u{1004D}\u{10050}-\u{1005D}\u{10080}-\u{100FA}\u{10100}\u{10102}\u{10107}-\u{10133}\u{10137}-\u{1013F}\u{1018D}\u{1018E}\u{101D0}-\u{101FC}\u{10280}-\u{1029C}\u{102A0}-\u{102D0}\u{102E1}-\u{102FB}\u{10300}-\u{10323}\u{1032D}-\u{1034A}\u{10350}-\u{10375}\u{10380}-\u{1039D}\u{1039F}-\u{103C3}\u{103C8}-\u{103D5}\u{10400}-\u{1049D}\u{104A0}-\u{104A9}\u{104B0}-\u{104D3}\u{104D8}-\u{104FB}\u{10500}-\u{10527}\u{10530}-\u{10563}\u{1056F}-\u{1057A}\u{1057C}-\u{1058A}\u{1058C}-\u{10592}\u{10594}\u{10595}\u{10597}-\u{105A1}\u{105A3}-\u{105B1}\u{105B3}-\u{105B9}\u{105BB}\u{105BC}\u{105C0}-\u{105F3}\u{10600}-\u{10736}\u{10740}-\u{10755}\u{10760}-\u{10767}\u{10780}-\u{10785}\u{10787}-\u{107B0}\u{107B2}-\u{107BA}\u{11000}\u{11002}-\u{11037}\u{11047}-\u{1104D}\u{11066}-\u{1106F}\u{11071}\u{11072}\u{11075}\u{11082}-\u{110B2}\u{110B7}\u{110B8}\u{110BB}-\u{110C1}\u{110CD}\u{110D0}-\u{110E8}\u{110F0}-\u{110F9}\u{11103}-\u{11126}\u{1112C}\u{11136}-\u{11147}\u{11150}-\u{11172}\u{11174}-\u{11176}\u{11182}-\u{111B5}\u{111BF}-\u{111C8}\u{111CD}\u{111CE}\u{111D0}-\u{111DF}\u{111E1}-\u{111F4}\u{11200}-\u{11211}\u{11213}-\u{1122E}\u{11232}\u{11233}\u{11235}\u{11238}-\u{1123D}\u{1123F}\u{11240}\u{11280}-\u{11286}\u{11288}\u{1128A}-\u{1128D}\u{1128F}-\u{1129D}\u{1129F}-\u{112A9}\u{112B0}-\u{112DE}\u{112E0}-\u{112E2}\u{112F0}-\u{112F9}\u{11302}\u{11303}\u{11305}-\u{1130C}\u{1130F}\u{11310}\u{11313}-\u{11328}\u{1132A}-\u{11330}\u{11332}\u{11333}\u{11335}-\u{11339}\u{1133D}-\u{1133F}\u{11341}-\u{11344}\u{11347}\u{11348}\u{1134B}-\u{1134D}\u{11350}\u{11357}\u{1135D}-\u{11363}\u{11380}-\u{11389}\u{1138B}\u{1138E}\u{11390}-\u{113B5}\u{113B7}-\u{113BA}\u{113C2}\u{113C5}\u{113C7}-\u{113CA}\u{113CC}\u{113CD}\u{113CF}\u{113D1}\u{113D3}-\u{113D5}\u{113D7}\u{113D8}\u{11400}-\u{11437}\u{11440}\u{11441}\u{11445}\u{11447}-\u{1145B}\u{1145D}\u{1145F}-\u{11461}\u{11480}-\u{114B2}\u{114B9}\u{114BB}-\u{114BE}\u{114C1}\u{114C4}-\u{114C7}\u{114D0}-\u{114D9}\u{11580}-\u{115B1}\u{115B8}-\u{115BB}\u{115BE}\u{115C1}-\u{115DB}\u{11600}-\u{11632}\u{1163B}\u{1163C}\u{1163E}\u{11641}-\u{11644}\u{11650}-\u{11659}\u{11680}-\u{116AA}\u{116AC}\u{116AE}\u{116AF}\u{116B6}\u{116B8}\u{116B9}\u{116C0}-\u{116C9}\u{116D0}-\u{116E3}\u{11700}-\u{1171A}\u{1171E}\u{11720}\u{11721}\u{11726}\u{11730}-\u{11746}\u{11800}-\u{1182E}\u{11838}\u{1183B}\u{118A0}-\u{118F2}\u{118FF}-\u{11906}\u{11909}\u{1190C}-\u{11913}\u{11915}\u{11916}\u{11918}-\u{11935}\u{11937}\u{11938}\u{1193D}\u{1193F}-\u{11942}\u{11944}-\u{11946}\u{11950}-\u{11959}\u{119A0}-\u{119A7}\u{119AA}-\u{119D3}\u{119DC}-\u{119DF}\u{119E1}-\u{119E4}\u{11A00}\u{11A07}\u{11A08}\u{11A0B}-\u{11A32}\u{11A39}\u{11A3A}\u{11A3F}-\u{11A46}\u{11A50}\u{11A57}\u{11A58}\u{11A5C}-\u{11A89}\u{11A97}\u{11A9A}-\u{11AA2}\u{11AB0}-\u{11AF8}\u{11B00}-\u{11B09}\u{11B61}\u{11B65}\u{11B67}\u{11BC0}-\u{11BE1}\u{11BF0}-\u{11BF9}\u{11C00}-\u{11C08}\u{11C0A}-\u{11C2F}\u{11C3E}-\u{11C45}\u{11C50}-\u{11C6C}\u{11C70}-\u{11C8F}\u{11CA9}\u{11CB1}\u{11CB4}\u{11D00}-\u{11D06}\u{11D08}\u{11D09}\u{11D0B}-\u{11D30}\u{11D46}\u{11D50}-\u{11D59}\u{11D60}-\u{11D65}\u{11D67}\u{11D68}\u{11D6A}-\u{11D8E}\u{11D93}\u{11D94}\u{11D96}\u{11D98}\u{11DA0}-\u{11DA9}\u{11DB0}-\u{11DDB}\u{11DE0}-\u{11DE9}\u{11EE0}-\u{11EF2}\u{11EF5}-\u{11EF8}\u{11F02}-\u{11F10}\u{11F12}-\u{11F35}\u{11F3E}\u{11F3F}\u{11F41}\u{11F43}-\u{11F59}\u{11FB0}\u{11FC0}-\u{11FD4}\u{11FFF}-\u{12399}\u{12400}-\u{1246E}\u{12470}-\u{12474}\u{12480}-\u{12543}\u{12F90}-\u{12FF2}\u{13000}-\u{1343F}\u{13441}-\u{13446}\u{13460}-\u{143FA}\u{14400}-\u{14646}\u{16100}-\u{1611D}\u{1612A}-\u{1612C}\u{16130}-\u{16139}\u{16800}-\u{16A38}\u{16A40}-\u{16A5E}\u{16A60}-\u{16A69}\u{16A6E}-\u{16ABE}\u{16AC0}-\u{16AC9}\u{16AD0}-\u{16AED}\u{16AF5}\u{16B00}-\u{16B2F}\u{16B37}-\u{16B45}\u{16B50}-\u{16B59}\u{16B5B}-\u{16B61}\u{16B63}-\u{16B77}\u{16B7D}-\u{16B8F}\u{16D40}-\u{16D79}\u{16E40}-\u{16E9A}\u{16EA0}-\u{16EB8}\u{16EBB}-\u{16ED3}\u{16F00}-\u{16F4A}\u{16F50}-\u{16F87}\u{16F93}-\u{16F9F}\u{16FE0}\u{16FE1}\u{16FE3}\u{16FF0}-\u{16FF6}\u{17000}-\u{18CD5}\u{18CFF}-\u{18D1E}\u{18D80}-\u{18DF2}\u{1AFF0}-\u{1AFF3}\u{1AFF5}-\u{1AFFB}\u{1AFFD}\u{1AFFE}\u{1B000}-\u{1B122}\u{1B132}\u{1B150}-\u{1B152}\u{1B155}\u{1B164}-\u{1B167}\u{1B170}-\u{1B2FB}\u{1BC00}-\u{1BC6A}\u{1BC70}-\u{1BC7C}\u{1BC80}-\u{1BC88}\u{1BC90}-\u{1BC99}\u{1BC9C}\u{1BC9F}\u{1CCD6}-\u{1CCF9}\u{1CF50}-\u{1CFC3}\u{1D000}-\u{1D0F5}\u{1D100}-\u{1D126}\u{1D129}-\u{1D166}\u{1D16A}-\u{1D172}\u{1D183}\u{1D184}\u{1D18C}-\u{1D1A9}\u{1D1AE}-\u{1D1E8}\u{1D2C0}-\u{1D2D3}\u{1D2E0}-\u{1D2F3}\u{1D360}-\u{1D378}\u{1D400}-\u{1D454}\u{1D456}-\u{1D49C}\u{1D49E}\u{1D49F}\u{1D4A2}\u{1D4A5}\u{1D4A6}\u{1D4A9}-\u{1D4AC}\u{1D4AE}-\u{1D4B9}\u{1D4BB}\u{1D4BD}-\u{1D4C3}\u{1D4C5}-\u{1D505}\u{1D507}-\u{1D50A}\u{1D50D}-\u{1D514}\u{1D516}-\u{1D51C}\u{1D51E}-\u{1D539}\u{1D53B}-\u{1D53E}\u{1D540}-\u{1D544}\u{1D546}\u{1D54A}-\u{1D550}\u{1D552}-\u{1D6A5}\u{1D6A8}-\u{1D6C0}\u{1D6C2}-\u{1D6DA}\u{1D6DC}-\u{1D6FA}\u{1D6FC}-\u{1D714}\u{1D716}-\u{1D734}\u{1D736}-\u{1D74E}\u{1D750}-\u{1D76E}\u{1D770}-\u{1D788}\u{1D78A}-\u{1D7A8}\u{1D7AA}-\u{1D7C2}\u{1D7C4}-\u{1D7CB}\u{1D7CE}-\u{1D9FF}\u{1DA37}-\u{1DA3A}\u{1DA6D}-\u{1DA74}\u{1DA76}-\u{1DA83}\u{1DA85}-\u{1DA8B}\u{1DF00}-\u{1DF1E}\u{1DF25}-\u{1DF2A}\u{1E030}-\u{1E06D}\u{1E100}-\u{1E12C}\u{1E137}-\u{1E13D}\u{1E140}-\u{1E149}\u{1E14E}\u{1E14F}\u{1E290}-\u{1E2AD}\u{1E2C0}-\u{1E2EB}\u{1E2F0}-\u{1E2F9}\u{1E4D0}-\u{1E4EB}\u{1E4F0}-\u{1E4F9}\u{1E5D0}-\u{1E5ED}\u{1E5F0}-\u{1E5FA}\u{1E5FF}\u{1E6C0}-\u{1E6DE}\u{1E6E0}-\u{1E6E2}\u{1E6E4}\u{1E6E5}\u{1E6E7}-\u{1E6ED}\u{1E6F0}-\u{1E6F4}\u{1E6FE}\u{1E6FF}\u{1E7E0}-\u{1E7E6}\u{1E7E8}-\u{1E7EB}\u{1E7ED}\u{1E7EE}\u{1E7F0}-\u{1E7FE}\u{1F100}-\u{1F10A}\u{1F110}-\u{1F12E}\u{1F130}-\u{1F169}\u{1F170}-\u{1F1AC}\u{1F1E6}-\u{1F202}\u{1F210}-\u{1F23B}\u{1F240}-\u{1F248}\u{1F250}\u{1F251}\u{1FBF0}-\u{1FBF9}\u{20000}-\u{2A6DF}\u{2A700}-\u{2B81D}\u{2B820}-\u{2CEAD}\u{2CEB0}-\u{2EBE0}\u{2EBF0}-\u{2EE5D}\u{2F800}-\u{2FA1D}\u{30000}-\u{3134A}\u{31350}-\u{33479}\u{F0000}-\u{FFFFD}\u{100000}-\u{10FFFD}][\u0300-\u036F\u0483-\u0489\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED\u0711\u0730-\u074A\u07A6-\u07B0\u07EB-\u07F3\u07FD\u0816-\u0819\u081B-\u0823\u0825-\u0827\u0829-\u082D\u0859-\u085B\u0897-\u089F\u08CA-\u08E1\u08E3-\u0902\u093A\u093C\u0941-\u0948\u094D\u0951-\u0957\u0962\u0963\u0981\u09BC\u09C1-\u09C4\u09CD\u09E2\u09E3\u09FE\u0A01\u0A02\u0A3C\u0A41\u0A42\u0A47\u0A48\u0A4B-\u0A4D\u0A51\u0A70\u0A71\u0A75\u0A81\u0A82\u0ABC\u0AC1-\u0AC5\u0AC7\u0AC8\u0ACD\u0AE2\u0AE3\u0AFA-\u0AFF\u0B01\u0B3C\u0B3F\u0B41-\u0B44\u0B4D\u0B55\u0B56\u0B62\u0B63\u0B82\u0BC0\u0BCD\u0C00\u0C04\u0C3C\u0C3E-\u0C40\u0C46-\u0C48\u0C4A-\u0C4D\u0C55\u0C56\u0C62\u0C63\u0C81\u0CBC\u0CCC\u0CCD\u0CE2\u0CE3\u0D00\u0D01\u0D3B\u0D3C\u0D41-\u0D44\u0D4D\u0D62\u0D63\u0D81\u0DCA\u0DD2-\u0DD4\u0DD6\u0E31\u0E34-\u0E3A\u0E47-\u0E4E\u0EB1\u0EB4-\u0EBC\u0EC8-\u0ECE\u0F18\u0F19\u0F35\u0F37\u0F39\u0F71-\u0F7E\u0F80-\u0F84\u0F86\u0F87\u0F8D-\u0F97\u0F99-\u0FBC\u0FC6\u102D-\u1030\u1032-\u1037\u1039\u103A\u103D\u103E\u1058\u1059\u105E-\u1060\u1071-\u1074\u1082\u1085\u1086\u108D\u109D\u135D-\u135F\u1712-\u1714\u1732\u1733\u1752\u1753\u1772\u1773\u17B4\u17B5\u17B7-\u17BD\u17C6\u17C9-\u17D3\u17DD\u180B-\u180D\u180F\u1885\u1886\u18A9\u1920-\u1922\u1927\u1928\u1932\u1939-\u193B\u1A17\u1A18\u1A1B\u1A56\u1A58-\u1A5E\u1A60\u1A62\u1A65-\u1A6C\u1A73-\u1A7C\u1A7F\u1AB0-\u1ADD\u1AE0-\u1AEB\u1B00-\u1B03\u1B34\u1B36-\u1B3A\u1B3C\u1B42\u1B6B-\u1B73\u1B80\u1B81\u1BA2-\u1BA5\u1BA8\u1BA9\u1BAB-\u1BAD\u1BE6\u1BE8\u1BE9\u1BED\u1BEF-\u1BF1\u1C2C-\u1C33\u1C36\u1C37\u1CD0-\u1CD2\u1CD4-\u1CE0\u1CE2-\u1CE8\u1CED\u1CF4\u1CF8\u1CF9\u1DC0-\u1DFF\u20D0-\u20F0\u2CEF-\u2CF1\u2D7F\u2DE0-\u2DFF\u302A-\u302D\u3099\u309A\uA66F-\uA672\uA674-\uA67D\uA69E\uA69F\uA6F0\uA6F1\uA802\uA806\uA80B\uA825\uA826\uA82C\uA8C4\uA8C5\uA8E0-\uA8F1\uA8FF\uA926-\uA92D\uA947-\uA951\uA980-\uA982\uA9B3\uA9B6-\uA9B9\uA9BC\uA9BD\uA9E5\uAA29-\uAA2E\uAA31\uAA32\uAA35\uAA36\uAA43\uAA4C\uAA7C\uAAB0\uAAB2-\uAAB4\uAAB7\uAAB8\uAABE\uAABF\uAAC1\uAAEC\uAAED\uAAF6\uABE5\uABE8\uABED\uFB1E\uFE00-\uFE0F\uFE20-\uFE2F\u{101FD}\u{102E0}\u{10376}-\u{1037A}\u{10A01}-\u{10A03}\u{10A05}\u{10A06}\u{10A0C}-\u{10A0F}\u{10A38}-\u{10A3A}\u{10A3F}\u{10AE5}\u{10AE6}\u{10D24}-\u{10D27}\u{10D69}-\u{10D6D}\u{10EAB}\u{10EAC}\u{10EFA}-\u{10EFF}\u{10F46}-\u{10F50}\u{10F82}-\u{10F85}\u{11001}\u{11038}-\u{11046}\u{11070}\u{11073}\u{11074}\u{1107F}-\u{11081}\u{110B3}-\u{110B6}\u{110B9}\u{110BA}\u{110C2}\u{11100}-\u{11102}\u{11127}-\u{1112B}\u{1112D}-\u{11134}\u{11173}\u{11180}\u{11181}\u{111B6}-\u{111BE}\u{111C9}-\u{111CC}\u{111CF}\u{1122F}-\u{11231}\u{11234}\u{11236}\u{11237}\u{1123E}\u{11241}\u{112DF}\u{112E3}-\u{112EA}\u{11300}\u{11301}\u{1133B}\u{1133C}\u{11340}\u{11366}-\u{1136C}\u{11370}-\u{11374}\u{113BB}-\u{113C0}\u{113CE}\u{113D0}\u{113D2}\u{113E1}\u{113E2}\u{11438}-\u{1143F}\u{11442}-\u{11444}\u{11446}\u{1145E}\u{114B3}-\u{114B8}\u{114BA}\u{114BF}\u{114C0}\u{114C2}\u{114C3}\u{115B2}-\u{115B5}\u{115BC}\u{115BD}\u{115BF}\u{115C0}\u{115DC}\u{115DD}\u{11633}-\u{1163A}\u{1163D}\u{1163F}\u{11640}\u{116AB}\u{116AD}\u{116B0}-\u{116B5}\u{116B7}\u{1171D}\u{1171F}\u{11722}-\u{11725}\u{11727}-\u{1172B}\u{1182F}-\u{11837}\u{11839}\u{1183A}\u{1193B}\u{1193C}\u{1193E}\u{11943}\u{119D4}-\u{119D7}\u{119DA}\u{119DB}\u{119E0}\u{11A01}-\u{11A06}\u{11A09}\u{11A0A}\u{11A33}-\u{11A38}\u{11A3B}-\u{11A3E}\u{11A47}\u{11A51}-\u{11A56}\u{11A59}-\u{11A5B}\u{11A8A}-\u{11A96}\u{11A98}\u{11A99}\u{11B60}\u{11B62}-\u{11B64}\u{11B66}\u{11C30}-\u{11C36}\u{11C38}-\u{11C3D}\u{11C92}-\u{11CA7}\u{11CAA}-\u{11CB0}\u{11CB2}\u{11CB3}\u{11CB5}\u{11CB6}\u{11D31}-\u{11D36}\u{11D3A}\u{11D3C}\u{11D3D}\u{11D3F}-\u{11D45}\u{11D47}\u{11D90}\u{11D91}\u{11D95}\u{11D97}\u{11EF3}\u{11EF4}\u{11F00}\u{11F01}\u{11F36}-\u{11F3A}\u{11F40}\u{11F42}\u{11F5A}\u{13440}\u{13447}-\u{13455}\u{1611E}-\u{16129}\u{1612D}-\u{1612F}\u{16AF0}-\u{16AF4}\u{16B30}-\u{16B36}\u{16F4F}\u{16F8F}-\u{16F92}\u{16FE4}\u{1BC9D}\u{1BC9E}\u{1CF00}-\u{1CF2D}\u{1CF30}-\u{1CF46}\u{1D167}-\u{1D169}\u{1D17B}-\u{1D182}\u{1D185}-\u{1D18B}\u{1D1AA}-\u{1D1AD}\u{1D242}-\u{1D244}\u{1DA00}-\u{1DA36}\u{1DA3B}-\u{1DA6C}\u{1DA75}\u{1DA84}\u{1DA9B}-\u{1DA9F}\u{1DAA1}-\u{1DAAF}\u{1E000}-\u{1E006}\u{1E008}-\u{1E018}\u{1E01B}-\u{1E021}\u{1E023}\u{1E024}\u{1E026}-\u{1E02A}\u{1E08F}\u{1E130}-\u{1E136}\u{1E2AE}\u{1E2EC}-\u{1E2EF}\u{1E4EC}-\u{1E4EF}\u{1E5EE}\u{1E5EF}\u{1E6E3}\u{1E6E6}\u{1E6EE}\u{1E6EF}\u{1E6F5}\u{1E8D0}-\u{1E8D6}\u{1E944}-\u{1E94A}\u{E0100}-\u{E01EF}]*$/u;

module.exports = {
    combiningMarks,
  combiningClassVirama,
  validZWNJ,
  bidiDomain,
  bidiS1LTR,
  bidiS1RTL,
  bidiS2,
  bidiS3,
  bidiS4EN,
  bidiS4AN,
  bidiS5,
  bidiS6
  };


/***/ }),

/***/ 156:
/***/ ((module) => {



module.exports.STATUS_MAPPING = {
  mapped: 1,
  valid: 2,
  disallowed: 3,
  deviation: 6,
  ignored: 7
};


/***/ }),

/***/ 472:
/***/ ((module) => {

module.exports = /*#__PURE__*/JSON.parse('[[[0,44],2],[[45,46],2],[47,2],[[48,57],2],[[58,64],2],[65,1,"a"],[66,1,"b"],[67,1,"c"],[68,1,"d"],[69,1,"e"],[70,1,"f"],[71,1,"g"],[72,1,"h"],[73,1,"i"],[74,1,"j"],[75,1,"k"],[76,1,"l"],[77,1,"m"],[78,1,"n"],[79,1,"o"],[80,1,"p"],[81,1,"q"],[82,1,"r"],[83,1,"s"],[84,1,"t"],[85,1,"u"],[86,1,"v"],[87,1,"w"],[88,1,"x"],[89,1,"y"],[90,1,"z"],[[91,96],2],[[97,122],2],[[123,127],2],[[128,159],3],[160,1," "],[[161,167],2],[168,1," ̈"],[169,2],[170,1,"a"],[[171,172],2],[173,7],[174,2],[175,1," ̄"],[[176,177],2],[178,1,"2"],[179,1,"3"],[180,1," ́"],[181,1,"μ"],[182,2],[183,2],[184,1," ̧"],[185,1,"1"],[186,1,"o"],[187,2],[188,1,"1⁄4"],[189,1,"1⁄2"],[190,1,"3⁄4"],[191,2],[192,1,"à"],[193,1,"á"],[194,1,"â"],[195,1,"ã"],[196,1,"ä"],[197,1,"å"],[198,1,"æ"],[199,1,"ç"],[200,1,"è"],[201,1,"é"],[202,1,"ê"],[203,1,"ë"],[204,1,"ì"],[205,1,"í"],[206,1,"î"],[207,1,"ï"],[208,1,"ð"],[209,1,"ñ"],[210,1,"ò"],[211,1,"ó"],[212,1,"ô"],[213,1,"õ"],[214,1,"ö"],[215,2],[216,1,"ø"],[217,1,"ù"],[218,1,"ú"],[219,1,"û"],[220,1,"ü"],[221,1,"ý"],[222,1,"þ"],[223,6,"ss"],[[224,246],2],[247,2],[[248,255],2],[256,1,"ā"],[257,2],[258,1,"ă"],[259,2],[260,1,"ą"],[261,2],[262,1,"ć"],[263,2],[264,1,"ĉ"],[265,2],[266,1,"ċ"],[267,2],[268,1,"č"],[269,2],[270,1,"ď"],[271,2],[272,1,"đ"],[273,2],[274,1,"ē"],[275,2],[276,1,"ĕ"],[277,2],[278,1,"ė"],[279,2],[280,1,"ę"],[281,2],[282,1,"ě"],[283,2],[284,1,"ĝ"],[285,2],[286,1,"ğ"],[287,2],[288,1,"ġ"],[289,2],[290,1,"ģ"],[291,2],[292,1,"ĥ"],[293,2],[294,1,"ħ"],[295,2],[296,1,"ĩ"],[297,2],[298,1,"ī"],[299,2],[300,1,"ĭ"],[301,2],[302,1,"į"],[303,2],[304,1,"i̇"],[305,2],[[306,307],1,"ij"],[308,1,"ĵ"],[309,2],[310,1,"ķ"],[[311,312],2],[313,1,"ĺ"],[314,2],[315,1,"ļ"],[316,2],[317,1,"ľ"],[318,2],[[319,320],1,"l·"],[321,1,"ł"],[322,2],[323,1,"ń"],[324,2],[325,1,"ņ"],[326,2],[327,1,"ň"],[328,2],[329,1,"ʼn"],[330,1,"ŋ"],[331,2],[332,1,"ō"],[333,2],[334,1,"ŏ"],[335,2],[336,1,"ő"],[337,2],[338,1,"œ"],[339,2],[340,1,"ŕ"],[341,2],[342,1,"ŗ"],[343,2],[344,1,"ř"],[345,2],[346,1,"ś"],[347,2],[348,1,"ŝ"],[349,2],[350,1,"ş"],[351,2],[352,1,"š"],[353,2],[354,1,"ţ"],[355,2],[356,1,"ť"],[357,2],[358,1,"ŧ"],[359,2],[360,1,"ũ"],[361,2],[362,1,"ū"],[363,2],[364,1,"ŭ"],[365,2],[366,1,"ů"],[367,2],[368,1,"ű"],[369,2],[370,1,"ų"],[371,2],[372,1,"ŵ"],[373,2],[374,1,"ŷ"],[375,2],[376,1,"ÿ"],[377,1,"ź"],[378,2],[379,1,"ż"],[380,2],[381,1,"ž"],[382,2],[383,1,"s"],[384,2],[385,1,"ɓ"],[386,1,"ƃ"],[387,2],[388,1,"ƅ"],[389,2],[390,1,"ɔ"],[391,1,"ƈ"],[392,2],[393,1,"ɖ"],[394,1,"ɗ"],[395,1,"ƌ"],[[396,397],2],[398,1,"ǝ"],[399,1,"ə"],[400,1,"ɛ"],[401,1,"ƒ"],[402,2],[403,1,"ɠ"],[404,1,"ɣ"],[405,2],[406,1,"ɩ"],[407,1,"ɨ"],[408,1,"ƙ"],[[409,411],2],[412,1,"ɯ"],[413,1,"ɲ"],[414,2],[415,1,"ɵ"],[416,1,"ơ"],[417,2],[418,1,"ƣ"],[419,2],[420,1,"ƥ"],[421,2],[422,1,"ʀ"],[423,1,"ƨ"],[424,2],[425,1,"ʃ"],[[426,427],2],[428,1,"ƭ"],[429,2],[430,1,"ʈ"],[431,1,"ư"],[432,2],[433,1,"ʊ"],[434,1,"ʋ"],[435,1,"ƴ"],[436,2],[437,1,"ƶ"],[438,2],[439,1,"ʒ"],[440,1,"ƹ"],[[441,443],2],[444,1,"ƽ"],[[445,451],2],[[452,454],1,"dž"],[[455,457],1,"lj"],[[458,460],1,"nj"],[461,1,"ǎ"],[462,2],[463,1,"ǐ"],[464,2],[465,1,"ǒ"],[466,2],[467,1,"ǔ"],[468,2],[469,1,"ǖ"],[470,2],[471,1,"ǘ"],[472,2],[473,1,"ǚ"],[474,2],[475,1,"ǜ"],[[476,477],2],[478,1,"ǟ"],[479,2],[480,1,"ǡ"],[481,2],[482,1,"ǣ"],[483,2],[484,1,"ǥ"],[485,2],[486,1,"ǧ"],[487,2],[488,1,"ǩ"],[489,2],[490,1,"ǫ"],[491,2],[492,1,"ǭ"],[493,2],[494,1,"ǯ"],[[495,496],2],[[497,499],1,"dz"],[500,1,"ǵ"],[501,2],[502,1,"ƕ"],[503,1,"ƿ"],[504,1,"ǹ"],[505,2],[506,1,"ǻ"],[507,2],[508,1,"ǽ"],[509,2],[510,1,"ǿ"],[511,2],[512,1,"ȁ"],[513,2],[514,1,"ȃ"],[515,2],[516,1,"ȅ"],[517,2],[518,1,"ȇ"],[519,2],[520,1,"ȉ"],[521,2],[522,1,"ȋ"],[523,2],[524,1,"ȍ"],[525,2],[526,1,"ȏ"],[527,2],[528,1,"ȑ"],[529,2],[530,1,"ȓ"],[531,2],[532,1,"ȕ"],[533,2],[534,1,"ȗ"],[535,2],[536,1,"ș"],[537,2],[538,1,"ț"],[539,2],[540,1,"ȝ"],[541,2],[542,1,"ȟ"],[543,2],[544,1,"ƞ"],[545,2],[546,1,"ȣ"],[547,2],[548,1,"ȥ"],[549,2],[550,1,"ȧ"],[551,2],[552,1,"ȩ"],[553,2],[554,1,"ȫ"],[555,2],[556,1,"ȭ"],[557,2],[558,1,"ȯ"],[559,2],[560,1,"ȱ"],[561,2],[562,1,"ȳ"],[563,2],[[564,566],2],[[567,569],2],[570,1,"ⱥ"],[571,1,"ȼ"],[572,2],[573,1,"ƚ"],[574,1,"ⱦ"],[[575,576],2],[577,1,"ɂ"],[578,2],[579,1,"ƀ"],[580,1,"ʉ"],[581,1,"ʌ"],[582,1,"ɇ"],[583,2],[584,1,"ɉ"],[585,2],[586,1,"ɋ"],[587,2],[588,1,"ɍ"],[589,2],[590,1,"ɏ"],[591,2],[[592,680],2],[[681,685],2],[[686,687],2],[688,1,"h"],[689,1,"ɦ"],[690,1,"j"],[691,1,"r"],[692,1,"ɹ"],[693,1,"ɻ"],[694,1,"ʁ"],[695,1,"w"],[696,1,"y"],[[697,705],2],[[706,709],2],[[710,721],2],[[722,727],2],[728,1," ̆"],[729,1," ̇"],[730,1," ̊"],[731,1," ̨"],[732,1," ̃"],[733,1," ̋"],[734,2],[735,2],[736,1,"ɣ"],[737,1,"l"],[738,1,"s"],[739,1,"x"],[740,1,"ʕ"],[[741,745],2],[[746,747],2],[748,2],[749,2],[750,2],[[751,767],2],[[768,831],2],[832,1,"̀"],[833,1,"́"],[834,2],[835,1,"̓"],[836,1,"̈́"],[837,1,"ι"],[[838,846],2],[847,7],[[848,855],2],[[856,860],2],[[861,863],2],[[864,865],2],[866,2],[[867,879],2],[880,1,"ͱ"],[881,2],[882,1,"ͳ"],[883,2],[884,1,"ʹ"],[885,2],[886,1,"ͷ"],[887,2],[[888,889],3],[890,1," ι"],[[891,893],2],[894,1,";"],[895,1,"ϳ"],[[896,899],3],[900,1," ́"],[901,1," ̈́"],[902,1,"ά"],[903,1,"·"],[904,1,"έ"],[905,1,"ή"],[906,1,"ί"],[907,3],[908,1,"ό"],[909,3],[910,1,"ύ"],[911,1,"ώ"],[912,2],[913,1,"α"],[914,1,"β"],[915,1,"γ"],[916,1,"δ"],[917,1,"ε"],[918,1,"ζ"],[919,1,"η"],[920,1,"θ"],[921,1,"ι"],[922,1,"κ"],[923,1,"λ"],[924,1,"μ"],[925,1,"ν"],[926,1,"ξ"],[927,1,"ο"],[928,1,"π"],[929,1,"ρ"],[930,3],[931,1,"σ"],[932,1,"τ"],[933,1,"υ"],[934,1,"φ"],[935,1,"χ"],[936,1,"ψ"],[937,1,"ω"],[938,1,"ϊ"],[939,1,"ϋ"],[[940,961],2],[962,6,"σ"],[[963,974],2],[975,1,"ϗ"],[976,1,"β"],[977,1,"θ"],[978,1,"υ"],[979,1,"ύ"],[980,1,"ϋ"],[981,1,"φ"],[982,1,"π"],[983,2],[984,1,"ϙ"],[985,2],[986,1,"ϛ"],[987,2],[988,1,"ϝ"],[989,2],[990,1,"ϟ"],[991,2],[992,1,"ϡ"],[993,2],[994,1,"ϣ"],[995,2],[996,1,"ϥ"],[997,2],[998,1,"ϧ"],[999,2],[1000,1,"ϩ"],[1001,2],[1002,1,"ϫ"],[1003,2],[1004,1,"ϭ"],[1005,2],[1006,1,"ϯ"],[1007,2],[1008,1,"κ"],[1009,1,"ρ"],[1010,1,"σ"],[1011,2],[1012,1,"θ"],[1013,1,"ε"],[1014,2],[1015,1,"ϸ"],[1016,2],[1017,1,"σ"],[1018,1,"ϻ"],[1019,2],[1020,2],[1021,1,"ͻ"],[1022,1,"ͼ"],[1023,1,"ͽ"],[1024,1,"ѐ"],[1025,1,"ё"],[1026,1,"ђ"],[1027,1,"ѓ"],[1028,1,"є"],[1029,1,"ѕ"],[1030,1,"і"],[1031,1,"ї"],[1032,1,"ј"],[1033,1,"љ"],[1034,1,"њ"],[1035,1,"ћ"],[1036,1,"ќ"],[1037,1,"ѝ"],[1038,1,"ў"],[1039,1,"џ"],[1040,1,"а"],[1041,1,"б"],[1042,1,"в"],[1043,1,"г"],[1044,1,"д"],[1045,1,"е"],[1046,1,"ж"],[1047,1,"з"],[1048,1,"и"],[1049,1,"й"],[1050,1,"к"],[1051,1,"л"],[1052,1,"м"],[1053,1,"н"],[1054,1,"о"],[1055,1,"п"],[1056,1,"р"],[1057,1,"с"],[1058,1,"т"],[1059,1,"у"],[1060,1,"ф"],[1061,1,"х"],[1062,1,"ц"],[1063,1,"ч"],[1064,1,"ш"],[1065,1,"щ"],[1066,1,"ъ"],[1067,1,"ы"],[1068,1,"ь"],[1069,1,"э"],[1070,1,"ю"],[1071,1,"я"],[[1072,1103],2],[1104,2],[[1105,1116],2],[1117,2],[[1118,1119],2],[1120,1,"ѡ"],[1121,2],[1122,1,"ѣ"],[1123,2],[1124,1,"ѥ"],[1125,2],[1126,1,"ѧ"],[1127,2],[1128,1,"ѩ"],[1129,2],[1130,1,"ѫ"],[1131,2],[1132,1,"ѭ"],[1133,2],[1134,1,"ѯ"],[1135,2],[1136,1,"ѱ"],[1137,2],[1138,1,"ѳ"],[1139,2],[1140,1,"ѵ"],[1141,2],[1142,1,"ѷ"],[1143,2],[1144,1,"ѹ"],[1145,2],[1146,1,"ѻ"],[1147,2],[1148,1,"ѽ"],[1149,2],[1150,1,"ѿ"],[1151,2],[1152,1,"ҁ"],[1153,2],[1154,2],[[1155,1158],2],[1159,2],[[1160,1161],2],[1162,1,"ҋ"],[1163,2],[1164,1,"ҍ"],[1165,2],[1166,1,"ҏ"],[1167,2],[1168,1,"ґ"],[1169,2],[1170,1,"ғ"],[1171,2],[1172,1,"ҕ"],[1173,2],[1174,1,"җ"],[1175,2],[1176,1,"ҙ"],[1177,2],[1178,1,"қ"],[1179,2],[1180,1,"ҝ"],[1181,2],[1182,1,"ҟ"],[1183,2],[1184,1,"ҡ"],[1185,2],[1186,1,"ң"],[1187,2],[1188,1,"ҥ"],[1189,2],[1190,1,"ҧ"],[1191,2],[1192,1,"ҩ"],[1193,2],[1194,1,"ҫ"],[1195,2],[1196,1,"ҭ"],[1197,2],[1198,1,"ү"],[1199,2],[1200,1,"ұ"],[1201,2],[1202,1,"ҳ"],[1203,2],[1204,1,"ҵ"],[1205,2],[1206,1,"ҷ"],[1207,2],[1208,1,"ҹ"],[1209,2],[1210,1,"һ"],[1211,2],[1212,1,"ҽ"],[1213,2],[1214,1,"ҿ"],[1215,2],[1216,1,"ӏ"],[1217,1,"ӂ"],[1218,2],[1219,1,"ӄ"],[1220,2],[1221,1,"ӆ"],[1222,2],[1223,1,"ӈ"],[1224,2],[1225,1,"ӊ"],[1226,2],[1227,1,"ӌ"],[1228,2],[1229,1,"ӎ"],[1230,2],[1231,2],[1232,1,"ӑ"],[1233,2],[1234,1,"ӓ"],[1235,2],[1236,1,"ӕ"],[1237,2],[1238,1,"ӗ"],[1239,2],[1240,1,"ә"],[1241,2],[1242,1,"ӛ"],[1243,2],[1244,1,"ӝ"],[1245,2],[1246,1,"ӟ"],[1247,2],[1248,1,"ӡ"],[1249,2],[1250,1,"ӣ"],[1251,2],[1252,1,"ӥ"],[1253,2],[1254,1,"ӧ"],[1255,2],[1256,1,"ө"],[1257,2],[1258,1,"ӫ"],[1259,2],[1260,1,"ӭ"],[1261,2],[1262,1,"ӯ"],[1263,2],[1264,1,"ӱ"],[1265,2],[1266,1,"ӳ"],[1267,2],[1268,1,"ӵ"],[1269,2],[1270,1,"ӷ"],[1271,2],[1272,1,"ӹ"],[1273,2],[1274,1,"ӻ"],[1275,2],[1276,1,"ӽ"],[1277,2],[1278,1,"ӿ"],[1279,2],[1280,1,"ԁ"],[1281,2],[1282,1,"ԃ"],[1283,2],[1284,1,"ԅ"],[1285,2],[1286,1,"ԇ"],[1287,2],[1288,1,"ԉ"],[1289,2],[1290,1,"ԋ"],[1291,2],[1292,1,"ԍ"],[1293,2],[1294,1,"ԏ"],[1295,2],[1296,1,"ԑ"],[1297,2],[1298,1,"ԓ"],[1299,2],[1300,1,"ԕ"],[1301,2],[1302,1,"ԗ"],[1303,2],[1304,1,"ԙ"],[1305,2],[1306,1,"ԛ"],[1307,2],[1308,1,"ԝ"],[1309,2],[1310,1,"ԟ"],[1311,2],[1312,1,"ԡ"],[1313,2],[1314,1,"ԣ"],[1315,2],[1316,1,"ԥ"],[1317,2],[1318,1,"ԧ"],[1319,2],[1320,1,"ԩ"],[1321,2],[1322,1,"ԫ"],[1323,2],[1324,1,"ԭ"],[1325,2],[1326,1,"ԯ"],[1327,2],[1328,3],[1329,1,"ա"],[1330,1,"բ"],[1331,1,"գ"],[1332,1,"դ"],[1333,1,"ե"],[1334,1,"զ"],[1335,1,"է"],[1336,1,"ը"],[1337,1,"թ"],[1338,1,"ժ"],[1339,1,"ի"],[1340,1,"լ"],[1341,1,"խ"],[1342,1,"ծ"],[1343,1,"կ"],[1344,1,"հ"],[1345,1,"ձ"],[1346,1,"ղ"],[1347,1,"ճ"],[1348,1,"մ"],[1349,1,"յ"],[1350,1,"ն"],[1351,1,"շ"],[1352,1,"ո"],[1353,1,"չ"],[1354,1,"պ"],[1355,1,"ջ"],[1356,1,"ռ"],[1357,1,"ս"],[1358,1,"վ"],[1359,1,"տ"],[1360,1,"ր"],[1361,1,"ց"],[1362,1,"ւ"],[1363,1,"փ"],[1364,1,"ք"],[1365,1,"օ"],[1366,1,"ֆ"],[[1367,1368],3],[1369,2],[[1370,1375],2],[1376,2],[[1377,1414],2],[1415,1,"եւ"],[1416,2],[1417,2],[1418,2],[[1419,1420],3],[[1421,1422],2],[1423,2],[1424,3],[[1425,1441],2],[1442,2],[[1443,1455],2],[[1456,1465],2],[1466,2],[[1467,1469],2],[1470,2],[1471,2],[1472,2],[[1473,1474],2],[1475,2],[1476,2],[1477,2],[1478,2],[1479,2],[[1480,1487],3],[[1488,1514],2],[[1515,1518],3],[1519,2],[[1520,1524],2],[[1525,1535],3],[[1536,1539],3],[1540,3],[1541,3],[[1542,1546],2],[1547,2],[1548,2],[[1549,1551],2],[[1552,1557],2],[[1558,1562],2],[1563,2],[1564,3],[1565,2],[1566,2],[1567,2],[1568,2],[[1569,1594],2],[[1595,1599],2],[1600,2],[[1601,1618],2],[[1619,1621],2],[[1622,1624],2],[[1625,1630],2],[1631,2],[[1632,1641],2],[[1642,1645],2],[[1646,1647],2],[[1648,1652],2],[1653,1,"اٴ"],[1654,1,"وٴ"],[1655,1,"ۇٴ"],[1656,1,"يٴ"],[[1657,1719],2],[[1720,1721],2],[[1722,1726],2],[1727,2],[[1728,1742],2],[1743,2],[[1744,1747],2],[1748,2],[[1749,1756],2],[1757,3],[1758,2],[[1759,1768],2],[1769,2],[[1770,1773],2],[[1774,1775],2],[[1776,1785],2],[[1786,1790],2],[1791,2],[[1792,1805],2],[1806,3],[1807,3],[[1808,1836],2],[[1837,1839],2],[[1840,1866],2],[[1867,1868],3],[[1869,1871],2],[[1872,1901],2],[[1902,1919],2],[[1920,1968],2],[1969,2],[[1970,1983],3],[[1984,2037],2],[[2038,2042],2],[[2043,2044],3],[2045,2],[[2046,2047],2],[[2048,2093],2],[[2094,2095],3],[[2096,2110],2],[2111,3],[[2112,2139],2],[[2140,2141],3],[2142,2],[2143,3],[[2144,2154],2],[[2155,2159],3],[[2160,2183],2],[2184,2],[[2185,2190],2],[2191,2],[[2192,2193],3],[[2194,2198],3],[2199,2],[[2200,2207],2],[2208,2],[2209,2],[[2210,2220],2],[[2221,2226],2],[[2227,2228],2],[2229,2],[[2230,2237],2],[[2238,2247],2],[[2248,2258],2],[2259,2],[[2260,2273],2],[2274,3],[2275,2],[[2276,2302],2],[2303,2],[2304,2],[[2305,2307],2],[2308,2],[[2309,2361],2],[[2362,2363],2],[[2364,2381],2],[2382,2],[2383,2],[[2384,2388],2],[2389,2],[[2390,2391],2],[2392,1,"क़"],[2393,1,"ख़"],[2394,1,"ग़"],[2395,1,"ज़"],[2396,1,"ड़"],[2397,1,"ढ़"],[2398,1,"फ़"],[2399,1,"य़"],[[2400,2403],2],[[2404,2405],2],[[2406,2415],2],[2416,2],[[2417,2418],2],[[2419,2423],2],[2424,2],[[2425,2426],2],[[2427,2428],2],[2429,2],[[2430,2431],2],[2432,2],[[2433,2435],2],[2436,3],[[2437,2444],2],[[2445,2446],3],[[2447,2448],2],[[2449,2450],3],[[2451,2472],2],[2473,3],[[2474,2480],2],[2481,3],[2482,2],[[2483,2485],3],[[2486,2489],2],[[2490,2491],3],[2492,2],[2493,2],[[2494,2500],2],[[2501,2502],3],[[2503,2504],2],[[2505,2506],3],[[2507,2509],2],[2510,2],[[2511,2518],3],[2519,2],[[2520,2523],3],[2524,1,"ড়"],[2525,1,"ঢ়"],[2526,3],[2527,1,"য়"],[[2528,2531],2],[[2532,2533],3],[[2534,2545],2],[[2546,2554],2],[2555,2],[2556,2],[2557,2],[2558,2],[[2559,2560],3],[2561,2],[2562,2],[2563,2],[2564,3],[[2565,2570],2],[[2571,2574],3],[[2575,2576],2],[[2577,2578],3],[[2579,2600],2],[2601,3],[[2602,2608],2],[2609,3],[2610,2],[2611,1,"ਲ਼"],[2612,3],[2613,2],[2614,1,"ਸ਼"],[2615,3],[[2616,2617],2],[[2618,2619],3],[2620,2],[2621,3],[[2622,2626],2],[[2627,2630],3],[[2631,2632],2],[[2633,2634],3],[[2635,2637],2],[[2638,2640],3],[2641,2],[[2642,2648],3],[2649,1,"ਖ਼"],[2650,1,"ਗ਼"],[2651,1,"ਜ਼"],[2652,2],[2653,3],[2654,1,"ਫ਼"],[[2655,2661],3],[[2662,2676],2],[2677,2],[2678,2],[[2679,2688],3],[[2689,2691],2],[2692,3],[[2693,2699],2],[2700,2],[2701,2],[2702,3],[[2703,2705],2],[2706,3],[[2707,2728],2],[2729,3],[[2730,2736],2],[2737,3],[[2738,2739],2],[2740,3],[[2741,2745],2],[[2746,2747],3],[[2748,2757],2],[2758,3],[[2759,2761],2],[2762,3],[[2763,2765],2],[[2766,2767],3],[2768,2],[[2769,2783],3],[2784,2],[[2785,2787],2],[[2788,2789],3],[[2790,2799],2],[2800,2],[2801,2],[[2802,2808],3],[2809,2],[[2810,2815],2],[2816,3],[[2817,2819],2],[2820,3],[[2821,2828],2],[[2829,2830],3],[[2831,2832],2],[[2833,2834],3],[[2835,2856],2],[2857,3],[[2858,2864],2],[2865,3],[[2866,2867],2],[2868,3],[2869,2],[[2870,2873],2],[[2874,2875],3],[[2876,2883],2],[2884,2],[[2885,2886],3],[[2887,2888],2],[[2889,2890],3],[[2891,2893],2],[[2894,2900],3],[2901,2],[[2902,2903],2],[[2904,2907],3],[2908,1,"ଡ଼"],[2909,1,"ଢ଼"],[2910,3],[[2911,2913],2],[[2914,2915],2],[[2916,2917],3],[[2918,2927],2],[2928,2],[2929,2],[[2930,2935],2],[[2936,2945],3],[[2946,2947],2],[2948,3],[[2949,2954],2],[[2955,2957],3],[[2958,2960],2],[2961,3],[[2962,2965],2],[[2966,2968],3],[[2969,2970],2],[2971,3],[2972,2],[2973,3],[[2974,2975],2],[[2976,2978],3],[[2979,2980],2],[[2981,2983],3],[[2984,2986],2],[[2987,2989],3],[[2990,2997],2],[2998,2],[[2999,3001],2],[[3002,3005],3],[[3006,3010],2],[[3011,3013],3],[[3014,3016],2],[3017,3],[[3018,3021],2],[[3022,3023],3],[3024,2],[[3025,3030],3],[3031,2],[[3032,3045],3],[3046,2],[[3047,3055],2],[[3056,3058],2],[[3059,3066],2],[[3067,3071],3],[3072,2],[[3073,3075],2],[3076,2],[[3077,3084],2],[3085,3],[[3086,3088],2],[3089,3],[[3090,3112],2],[3113,3],[[3114,3123],2],[3124,2],[[3125,3129],2],[[3130,3131],3],[3132,2],[3133,2],[[3134,3140],2],[3141,3],[[3142,3144],2],[3145,3],[[3146,3149],2],[[3150,3156],3],[[3157,3158],2],[3159,3],[[3160,3161],2],[3162,2],[3163,3],[3164,2],[3165,2],[[3166,3167],3],[[3168,3169],2],[[3170,3171],2],[[3172,3173],3],[[3174,3183],2],[[3184,3190],3],[3191,2],[[3192,3199],2],[3200,2],[3201,2],[[3202,3203],2],[3204,2],[[3205,3212],2],[3213,3],[[3214,3216],2],[3217,3],[[3218,3240],2],[3241,3],[[3242,3251],2],[3252,3],[[3253,3257],2],[[3258,3259],3],[[3260,3261],2],[[3262,3268],2],[3269,3],[[3270,3272],2],[3273,3],[[3274,3277],2],[[3278,3284],3],[[3285,3286],2],[[3287,3291],3],[3292,2],[3293,2],[3294,2],[3295,3],[[3296,3297],2],[[3298,3299],2],[[3300,3301],3],[[3302,3311],2],[3312,3],[[3313,3314],2],[3315,2],[[3316,3327],3],[3328,2],[3329,2],[[3330,3331],2],[3332,2],[[3333,3340],2],[3341,3],[[3342,3344],2],[3345,3],[[3346,3368],2],[3369,2],[[3370,3385],2],[3386,2],[[3387,3388],2],[3389,2],[[3390,3395],2],[3396,2],[3397,3],[[3398,3400],2],[3401,3],[[3402,3405],2],[3406,2],[3407,2],[[3408,3411],3],[[3412,3414],2],[3415,2],[[3416,3422],2],[3423,2],[[3424,3425],2],[[3426,3427],2],[[3428,3429],3],[[3430,3439],2],[[3440,3445],2],[[3446,3448],2],[3449,2],[[3450,3455],2],[3456,3],[3457,2],[[3458,3459],2],[3460,3],[[3461,3478],2],[[3479,3481],3],[[3482,3505],2],[3506,3],[[3507,3515],2],[3516,3],[3517,2],[[3518,3519],3],[[3520,3526],2],[[3527,3529],3],[3530,2],[[3531,3534],3],[[3535,3540],2],[3541,3],[3542,2],[3543,3],[[3544,3551],2],[[3552,3557],3],[[3558,3567],2],[[3568,3569],3],[[3570,3571],2],[3572,2],[[3573,3584],3],[[3585,3634],2],[3635,1,"ํา"],[[3636,3642],2],[[3643,3646],3],[3647,2],[[3648,3662],2],[3663,2],[[3664,3673],2],[[3674,3675],2],[[3676,3712],3],[[3713,3714],2],[3715,3],[3716,2],[3717,3],[3718,2],[[3719,3720],2],[3721,2],[3722,2],[3723,3],[3724,2],[3725,2],[[3726,3731],2],[[3732,3735],2],[3736,2],[[3737,3743],2],[3744,2],[[3745,3747],2],[3748,3],[3749,2],[3750,3],[3751,2],[[3752,3753],2],[[3754,3755],2],[3756,2],[[3757,3762],2],[3763,1,"ໍາ"],[[3764,3769],2],[3770,2],[[3771,3773],2],[[3774,3775],3],[[3776,3780],2],[3781,3],[3782,2],[3783,3],[[3784,3789],2],[3790,2],[3791,3],[[3792,3801],2],[[3802,3803],3],[3804,1,"ຫນ"],[3805,1,"ຫມ"],[[3806,3807],2],[[3808,3839],3],[3840,2],[[3841,3850],2],[3851,2],[3852,1,"་"],[[3853,3863],2],[[3864,3865],2],[[3866,3871],2],[[3872,3881],2],[[3882,3892],2],[3893,2],[3894,2],[3895,2],[3896,2],[3897,2],[[3898,3901],2],[[3902,3906],2],[3907,1,"གྷ"],[[3908,3911],2],[3912,3],[[3913,3916],2],[3917,1,"ཌྷ"],[[3918,3921],2],[3922,1,"དྷ"],[[3923,3926],2],[3927,1,"བྷ"],[[3928,3931],2],[3932,1,"ཛྷ"],[[3933,3944],2],[3945,1,"ཀྵ"],[3946,2],[[3947,3948],2],[[3949,3952],3],[[3953,3954],2],[3955,1,"ཱི"],[3956,2],[3957,1,"ཱུ"],[3958,1,"ྲྀ"],[3959,1,"ྲཱྀ"],[3960,1,"ླྀ"],[3961,1,"ླཱྀ"],[[3962,3968],2],[3969,1,"ཱྀ"],[[3970,3972],2],[3973,2],[[3974,3979],2],[[3980,3983],2],[[3984,3986],2],[3987,1,"ྒྷ"],[[3988,3989],2],[3990,2],[3991,2],[3992,3],[[3993,3996],2],[3997,1,"ྜྷ"],[[3998,4001],2],[4002,1,"ྡྷ"],[[4003,4006],2],[4007,1,"ྦྷ"],[[4008,4011],2],[4012,1,"ྫྷ"],[4013,2],[[4014,4016],2],[[4017,4023],2],[4024,2],[4025,1,"ྐྵ"],[[4026,4028],2],[4029,3],[[4030,4037],2],[4038,2],[[4039,4044],2],[4045,3],[4046,2],[4047,2],[[4048,4049],2],[[4050,4052],2],[[4053,4056],2],[[4057,4058],2],[[4059,4095],3],[[4096,4129],2],[4130,2],[[4131,4135],2],[4136,2],[[4137,4138],2],[4139,2],[[4140,4146],2],[[4147,4149],2],[[4150,4153],2],[[4154,4159],2],[[4160,4169],2],[[4170,4175],2],[[4176,4185],2],[[4186,4249],2],[[4250,4253],2],[[4254,4255],2],[4256,1,"ⴀ"],[4257,1,"ⴁ"],[4258,1,"ⴂ"],[4259,1,"ⴃ"],[4260,1,"ⴄ"],[4261,1,"ⴅ"],[4262,1,"ⴆ"],[4263,1,"ⴇ"],[4264,1,"ⴈ"],[4265,1,"ⴉ"],[4266,1,"ⴊ"],[4267,1,"ⴋ"],[4268,1,"ⴌ"],[4269,1,"ⴍ"],[4270,1,"ⴎ"],[4271,1,"ⴏ"],[4272,1,"ⴐ"],[4273,1,"ⴑ"],[4274,1,"ⴒ"],[4275,1,"ⴓ"],[4276,1,"ⴔ"],[4277,1,"ⴕ"],[4278,1,"ⴖ"],[4279,1,"ⴗ"],[4280,1,"ⴘ"],[4281,1,"ⴙ"],[4282,1,"ⴚ"],[4283,1,"ⴛ"],[4284,1,"ⴜ"],[4285,1,"ⴝ"],[4286,1,"ⴞ"],[4287,1,"ⴟ"],[4288,1,"ⴠ"],[4289,1,"ⴡ"],[4290,1,"ⴢ"],[4291,1,"ⴣ"],[4292,1,"ⴤ"],[4293,1,"ⴥ"],[4294,3],[4295,1,"ⴧ"],[[4296,4300],3],[4301,1,"ⴭ"],[[4302,4303],3],[[4304,4342],2],[[4343,4344],2],[[4345,4346],2],[4347,2],[4348,1,"ნ"],[[4349,4351],2],[[4352,4441],2],[[4442,4446],2],[[4447,4448],7],[[4449,4514],2],[[4515,4519],2],[[4520,4601],2],[[4602,4607],2],[[4608,4614],2],[4615,2],[[4616,4678],2],[4679,2],[4680,2],[4681,3],[[4682,4685],2],[[4686,4687],3],[[4688,4694],2],[4695,3],[4696,2],[4697,3],[[4698,4701],2],[[4702,4703],3],[[4704,4742],2],[4743,2],[4744,2],[4745,3],[[4746,4749],2],[[4750,4751],3],[[4752,4782],2],[4783,2],[4784,2],[4785,3],[[4786,4789],2],[[4790,4791],3],[[4792,4798],2],[4799,3],[4800,2],[4801,3],[[4802,4805],2],[[4806,4807],3],[[4808,4814],2],[4815,2],[[4816,4822],2],[4823,3],[[4824,4846],2],[4847,2],[[4848,4878],2],[4879,2],[4880,2],[4881,3],[[4882,4885],2],[[4886,4887],3],[[4888,4894],2],[4895,2],[[4896,4934],2],[4935,2],[[4936,4954],2],[[4955,4956],3],[[4957,4958],2],[4959,2],[4960,2],[[4961,4988],2],[[4989,4991],3],[[4992,5007],2],[[5008,5017],2],[[5018,5023],3],[[5024,5108],2],[5109,2],[[5110,5111],3],[5112,1,"Ᏸ"],[5113,1,"Ᏹ"],[5114,1,"Ᏺ"],[5115,1,"Ᏻ"],[5116,1,"Ᏼ"],[5117,1,"Ᏽ"],[[5118,5119],3],[5120,2],[[5121,5740],2],[[5741,5742],2],[[5743,5750],2],[[5751,5759],2],[5760,3],[[5761,5786],2],[[5787,5788],2],[[5789,5791],3],[[5792,5866],2],[[5867,5872],2],[[5873,5880],2],[[5881,5887],3],[[5888,5900],2],[5901,2],[[5902,5908],2],[5909,2],[[5910,5918],3],[5919,2],[[5920,5940],2],[[5941,5942],2],[[5943,5951],3],[[5952,5971],2],[[5972,5983],3],[[5984,5996],2],[5997,3],[[5998,6000],2],[6001,3],[[6002,6003],2],[[6004,6015],3],[[6016,6067],2],[[6068,6069],7],[[6070,6099],2],[[6100,6102],2],[6103,2],[[6104,6107],2],[6108,2],[6109,2],[[6110,6111],3],[[6112,6121],2],[[6122,6127],3],[[6128,6137],2],[[6138,6143],3],[[6144,6154],2],[[6155,6158],7],[6159,7],[[6160,6169],2],[[6170,6175],3],[[6176,6263],2],[6264,2],[[6265,6271],3],[[6272,6313],2],[6314,2],[[6315,6319],3],[[6320,6389],2],[[6390,6399],3],[[6400,6428],2],[[6429,6430],2],[6431,3],[[6432,6443],2],[[6444,6447],3],[[6448,6459],2],[[6460,6463],3],[6464,2],[[6465,6467],3],[[6468,6469],2],[[6470,6509],2],[[6510,6511],3],[[6512,6516],2],[[6517,6527],3],[[6528,6569],2],[[6570,6571],2],[[6572,6575],3],[[6576,6601],2],[[6602,6607],3],[[6608,6617],2],[6618,2],[[6619,6621],3],[[6622,6623],2],[[6624,6655],2],[[6656,6683],2],[[6684,6685],3],[[6686,6687],2],[[6688,6750],2],[6751,3],[[6752,6780],2],[[6781,6782],3],[[6783,6793],2],[[6794,6799],3],[[6800,6809],2],[[6810,6815],3],[[6816,6822],2],[6823,2],[[6824,6829],2],[[6830,6831],3],[[6832,6845],2],[6846,2],[[6847,6848],2],[[6849,6862],2],[[6863,6877],2],[[6878,6879],3],[[6880,6891],2],[[6892,6911],3],[[6912,6987],2],[6988,2],[6989,3],[[6990,6991],2],[[6992,7001],2],[[7002,7018],2],[[7019,7027],2],[[7028,7036],2],[[7037,7038],2],[7039,2],[[7040,7082],2],[[7083,7085],2],[[7086,7097],2],[[7098,7103],2],[[7104,7155],2],[[7156,7163],3],[[7164,7167],2],[[7168,7223],2],[[7224,7226],3],[[7227,7231],2],[[7232,7241],2],[[7242,7244],3],[[7245,7293],2],[[7294,7295],2],[7296,1,"в"],[7297,1,"д"],[7298,1,"о"],[7299,1,"с"],[[7300,7301],1,"т"],[7302,1,"ъ"],[7303,1,"ѣ"],[7304,1,"ꙋ"],[7305,1,"ᲊ"],[7306,2],[[7307,7311],3],[7312,1,"ა"],[7313,1,"ბ"],[7314,1,"გ"],[7315,1,"დ"],[7316,1,"ე"],[7317,1,"ვ"],[7318,1,"ზ"],[7319,1,"თ"],[7320,1,"ი"],[7321,1,"კ"],[7322,1,"ლ"],[7323,1,"მ"],[7324,1,"ნ"],[7325,1,"ო"],[7326,1,"პ"],[7327,1,"ჟ"],[7328,1,"რ"],[7329,1,"ს"],[7330,1,"ტ"],[7331,1,"უ"],[7332,1,"ფ"],[7333,1,"ქ"],[7334,1,"ღ"],[7335,1,"ყ"],[7336,1,"შ"],[7337,1,"ჩ"],[7338,1,"ც"],[7339,1,"ძ"],[7340,1,"წ"],[7341,1,"ჭ"],[7342,1,"ხ"],[7343,1,"ჯ"],[7344,1,"ჰ"],[7345,1,"ჱ"],[7346,1,"ჲ"],[7347,1,"ჳ"],[7348,1,"ჴ"],[7349,1,"ჵ"],[7350,1,"ჶ"],[7351,1,"ჷ"],[7352,1,"ჸ"],[7353,1,"ჹ"],[7354,1,"ჺ"],[[7355,7356],3],[7357,1,"ჽ"],[7358,1,"ჾ"],[7359,1,"ჿ"],[[7360,7367],2],[[7368,7375],3],[[7376,7378],2],[7379,2],[[7380,7410],2],[[7411,7414],2],[7415,2],[[7416,7417],2],[7418,2],[[7419,7423],3],[[7424,7467],2],[7468,1,"a"],[7469,1,"æ"],[7470,1,"b"],[7471,2],[7472,1,"d"],[7473,1,"e"],[7474,1,"ǝ"],[7475,1,"g"],[7476,1,"h"],[7477,1,"i"],[7478,1,"j"],[7479,1,"k"],[7480,1,"l"],[7481,1,"m"],[7482,1,"n"],[7483,2],[7484,1,"o"],[7485,1,"ȣ"],[7486,1,"p"],[7487,1,"r"],[7488,1,"t"],[7489,1,"u"],[7490,1,"w"],[7491,1,"a"],[7492,1,"ɐ"],[7493,1,"ɑ"],[7494,1,"ᴂ"],[7495,1,"b"],[7496,1,"d"],[7497,1,"e"],[7498,1,"ə"],[7499,1,"ɛ"],[7500,1,"ɜ"],[7501,1,"g"],[7502,2],[7503,1,"k"],[7504,1,"m"],[7505,1,"ŋ"],[7506,1,"o"],[7507,1,"ɔ"],[7508,1,"ᴖ"],[7509,1,"ᴗ"],[7510,1,"p"],[7511,1,"t"],[7512,1,"u"],[7513,1,"ᴝ"],[7514,1,"ɯ"],[7515,1,"v"],[7516,1,"ᴥ"],[7517,1,"β"],[7518,1,"γ"],[7519,1,"δ"],[7520,1,"φ"],[7521,1,"χ"],[7522,1,"i"],[7523,1,"r"],[7524,1,"u"],[7525,1,"v"],[7526,1,"β"],[7527,1,"γ"],[7528,1,"ρ"],[7529,1,"φ"],[7530,1,"χ"],[7531,2],[[7532,7543],2],[7544,1,"н"],[[7545,7578],2],[7579,1,"ɒ"],[7580,1,"c"],[7581,1,"ɕ"],[7582,1,"ð"],[7583,1,"ɜ"],[7584,1,"f"],[7585,1,"ɟ"],[7586,1,"ɡ"],[7587,1,"ɥ"],[7588,1,"ɨ"],[7589,1,"ɩ"],[7590,1,"ɪ"],[7591,1,"ᵻ"],[7592,1,"ʝ"],[7593,1,"ɭ"],[7594,1,"ᶅ"],[7595,1,"ʟ"],[7596,1,"ɱ"],[7597,1,"ɰ"],[7598,1,"ɲ"],[7599,1,"ɳ"],[7600,1,"ɴ"],[7601,1,"ɵ"],[7602,1,"ɸ"],[7603,1,"ʂ"],[7604,1,"ʃ"],[7605,1,"ƫ"],[7606,1,"ʉ"],[7607,1,"ʊ"],[7608,1,"ᴜ"],[7609,1,"ʋ"],[7610,1,"ʌ"],[7611,1,"z"],[7612,1,"ʐ"],[7613,1,"ʑ"],[7614,1,"ʒ"],[7615,1,"θ"],[[7616,7619],2],[[7620,7626],2],[[7627,7654],2],[[7655,7669],2],[[7670,7673],2],[7674,2],[7675,2],[7676,2],[7677,2],[[7678,7679],2],[7680,1,"ḁ"],[7681,2],[7682,1,"ḃ"],[7683,2],[7684,1,"ḅ"],[7685,2],[7686,1,"ḇ"],[7687,2],[7688,1,"ḉ"],[7689,2],[7690,1,"ḋ"],[7691,2],[7692,1,"ḍ"],[7693,2],[7694,1,"ḏ"],[7695,2],[7696,1,"ḑ"],[7697,2],[7698,1,"ḓ"],[7699,2],[7700,1,"ḕ"],[7701,2],[7702,1,"ḗ"],[7703,2],[7704,1,"ḙ"],[7705,2],[7706,1,"ḛ"],[7707,2],[7708,1,"ḝ"],[7709,2],[7710,1,"ḟ"],[7711,2],[7712,1,"ḡ"],[7713,2],[7714,1,"ḣ"],[7715,2],[7716,1,"ḥ"],[7717,2],[7718,1,"ḧ"],[7719,2],[7720,1,"ḩ"],[7721,2],[7722,1,"ḫ"],[7723,2],[7724,1,"ḭ"],[7725,2],[7726,1,"ḯ"],[7727,2],[7728,1,"ḱ"],[7729,2],[7730,1,"ḳ"],[7731,2],[7732,1,"ḵ"],[7733,2],[7734,1,"ḷ"],[7735,2],[7736,1,"ḹ"],[7737,2],[7738,1,"ḻ"],[7739,2],[7740,1,"ḽ"],[7741,2],[7742,1,"ḿ"],[7743,2],[7744,1,"ṁ"],[7745,2],[7746,1,"ṃ"],[7747,2],[7748,1,"ṅ"],[7749,2],[7750,1,"ṇ"],[7751,2],[7752,1,"ṉ"],[7753,2],[7754,1,"ṋ"],[7755,2],[7756,1,"ṍ"],[7757,2],[7758,1,"ṏ"],[7759,2],[7760,1,"ṑ"],[7761,2],[7762,1,"ṓ"],[7763,2],[7764,1,"ṕ"],[7765,2],[7766,1,"ṗ"],[7767,2],[7768,1,"ṙ"],[7769,2],[7770,1,"ṛ"],[7771,2],[7772,1,"ṝ"],[7773,2],[7774,1,"ṟ"],[7775,2],[7776,1,"ṡ"],[7777,2],[7778,1,"ṣ"],[7779,2],[7780,1,"ṥ"],[7781,2],[7782,1,"ṧ"],[7783,2],[7784,1,"ṩ"],[7785,2],[7786,1,"ṫ"],[7787,2],[7788,1,"ṭ"],[7789,2],[7790,1,"ṯ"],[7791,2],[7792,1,"ṱ"],[7793,2],[7794,1,"ṳ"],[7795,2],[7796,1,"ṵ"],[7797,2],[7798,1,"ṷ"],[7799,2],[7800,1,"ṹ"],[7801,2],[7802,1,"ṻ"],[7803,2],[7804,1,"ṽ"],[7805,2],[7806,1,"ṿ"],[7807,2],[7808,1,"ẁ"],[7809,2],[7810,1,"ẃ"],[7811,2],[7812,1,"ẅ"],[7813,2],[7814,1,"ẇ"],[7815,2],[7816,1,"ẉ"],[7817,2],[7818,1,"ẋ"],[7819,2],[7820,1,"ẍ"],[7821,2],[7822,1,"ẏ"],[7823,2],[7824,1,"ẑ"],[7825,2],[7826,1,"ẓ"],[7827,2],[7828,1,"ẕ"],[[7829,7833],2],[7834,1,"aʾ"],[7835,1,"ṡ"],[[7836,7837],2],[7838,1,"ß"],[7839,2],[7840,1,"ạ"],[7841,2],[7842,1,"ả"],[7843,2],[7844,1,"ấ"],[7845,2],[7846,1,"ầ"],[7847,2],[7848,1,"ẩ"],[7849,2],[7850,1,"ẫ"],[7851,2],[7852,1,"ậ"],[7853,2],[7854,1,"ắ"],[7855,2],[7856,1,"ằ"],[7857,2],[7858,1,"ẳ"],[7859,2],[7860,1,"ẵ"],[7861,2],[7862,1,"ặ"],[7863,2],[7864,1,"ẹ"],[7865,2],[7866,1,"ẻ"],[7867,2],[7868,1,"ẽ"],[7869,2],[7870,1,"ế"],[7871,2],[7872,1,"ề"],[7873,2],[7874,1,"ể"],[7875,2],[7876,1,"ễ"],[7877,2],[7878,1,"ệ"],[7879,2],[7880,1,"ỉ"],[7881,2],[7882,1,"ị"],[7883,2],[7884,1,"ọ"],[7885,2],[7886,1,"ỏ"],[7887,2],[7888,1,"ố"],[7889,2],[7890,1,"ồ"],[7891,2],[7892,1,"ổ"],[7893,2],[7894,1,"ỗ"],[7895,2],[7896,1,"ộ"],[7897,2],[7898,1,"ớ"],[7899,2],[7900,1,"ờ"],[7901,2],[7902,1,"ở"],[7903,2],[7904,1,"ỡ"],[7905,2],[7906,1,"ợ"],[7907,2],[7908,1,"ụ"],[7909,2],[7910,1,"ủ"],[7911,2],[7912,1,"ứ"],[7913,2],[7914,1,"ừ"],[7915,2],[7916,1,"ử"],[7917,2],[7918,1,"ữ"],[7919,2],[7920,1,"ự"],[7921,2],[7922,1,"ỳ"],[7923,2],[7924,1,"ỵ"],[7925,2],[7926,1,"ỷ"],[7927,2],[7928,1,"ỹ"],[7929,2],[7930,1,"ỻ"],[7931,2],[7932,1,"ỽ"],[7933,2],[7934,1,"ỿ"],[7935,2],[[7936,7943],2],[7944,1,"ἀ"],[7945,1,"ἁ"],[7946,1,"ἂ"],[7947,1,"ἃ"],[7948,1,"ἄ"],[7949,1,"ἅ"],[7950,1,"ἆ"],[7951,1,"ἇ"],[[7952,7957],2],[[7958,7959],3],[7960,1,"ἐ"],[7961,1,"ἑ"],[7962,1,"ἒ"],[7963,1,"ἓ"],[7964,1,"ἔ"],[7965,1,"ἕ"],[[7966,7967],3],[[7968,7975],2],[7976,1,"ἠ"],[7977,1,"ἡ"],[7978,1,"ἢ"],[7979,1,"ἣ"],[7980,1,"ἤ"],[7981,1,"ἥ"],[7982,1,"ἦ"],[7983,1,"ἧ"],[[7984,7991],2],[7992,1,"ἰ"],[7993,1,"ἱ"],[7994,1,"ἲ"],[7995,1,"ἳ"],[7996,1,"ἴ"],[7997,1,"ἵ"],[7998,1,"ἶ"],[7999,1,"ἷ"],[[8000,8005],2],[[8006,8007],3],[8008,1,"ὀ"],[8009,1,"ὁ"],[8010,1,"ὂ"],[8011,1,"ὃ"],[8012,1,"ὄ"],[8013,1,"ὅ"],[[8014,8015],3],[[8016,8023],2],[8024,3],[8025,1,"ὑ"],[8026,3],[8027,1,"ὓ"],[8028,3],[8029,1,"ὕ"],[8030,3],[8031,1,"ὗ"],[[8032,8039],2],[8040,1,"ὠ"],[8041,1,"ὡ"],[8042,1,"ὢ"],[8043,1,"ὣ"],[8044,1,"ὤ"],[8045,1,"ὥ"],[8046,1,"ὦ"],[8047,1,"ὧ"],[8048,2],[8049,1,"ά"],[8050,2],[8051,1,"έ"],[8052,2],[8053,1,"ή"],[8054,2],[8055,1,"ί"],[8056,2],[8057,1,"ό"],[8058,2],[8059,1,"ύ"],[8060,2],[8061,1,"ώ"],[[8062,8063],3],[8064,1,"ἀι"],[8065,1,"ἁι"],[8066,1,"ἂι"],[8067,1,"ἃι"],[8068,1,"ἄι"],[8069,1,"ἅι"],[8070,1,"ἆι"],[8071,1,"ἇι"],[8072,1,"ἀι"],[8073,1,"ἁι"],[8074,1,"ἂι"],[8075,1,"ἃι"],[8076,1,"ἄι"],[8077,1,"ἅι"],[8078,1,"ἆι"],[8079,1,"ἇι"],[8080,1,"ἠι"],[8081,1,"ἡι"],[8082,1,"ἢι"],[8083,1,"ἣι"],[8084,1,"ἤι"],[8085,1,"ἥι"],[8086,1,"ἦι"],[8087,1,"ἧι"],[8088,1,"ἠι"],[8089,1,"ἡι"],[8090,1,"ἢι"],[8091,1,"ἣι"],[8092,1,"ἤι"],[8093,1,"ἥι"],[8094,1,"ἦι"],[8095,1,"ἧι"],[8096,1,"ὠι"],[8097,1,"ὡι"],[8098,1,"ὢι"],[8099,1,"ὣι"],[8100,1,"ὤι"],[8101,1,"ὥι"],[8102,1,"ὦι"],[8103,1,"ὧι"],[8104,1,"ὠι"],[8105,1,"ὡι"],[8106,1,"ὢι"],[8107,1,"ὣι"],[8108,1,"ὤι"],[8109,1,"ὥι"],[8110,1,"ὦι"],[8111,1,"ὧι"],[[8112,8113],2],[8114,1,"ὰι"],[8115,1,"αι"],[8116,1,"άι"],[8117,3],[8118,2],[8119,1,"ᾶι"],[8120,1,"ᾰ"],[8121,1,"ᾱ"],[8122,1,"ὰ"],[8123,1,"ά"],[8124,1,"αι"],[8125,1," ̓"],[8126,1,"ι"],[8127,1," ̓"],[8128,1," ͂"],[8129,1," ̈͂"],[8130,1,"ὴι"],[8131,1,"ηι"],[8132,1,"ήι"],[8133,3],[8134,2],[8135,1,"ῆι"],[8136,1,"ὲ"],[8137,1,"έ"],[8138,1,"ὴ"],[8139,1,"ή"],[8140,1,"ηι"],[8141,1," ̓̀"],[8142,1," ̓́"],[8143,1," ̓͂"],[[8144,8146],2],[8147,1,"ΐ"],[[8148,8149],3],[[8150,8151],2],[8152,1,"ῐ"],[8153,1,"ῑ"],[8154,1,"ὶ"],[8155,1,"ί"],[8156,3],[8157,1," ̔̀"],[8158,1," ̔́"],[8159,1," ̔͂"],[[8160,8162],2],[8163,1,"ΰ"],[[8164,8167],2],[8168,1,"ῠ"],[8169,1,"ῡ"],[8170,1,"ὺ"],[8171,1,"ύ"],[8172,1,"ῥ"],[8173,1," ̈̀"],[8174,1," ̈́"],[8175,1,"`"],[[8176,8177],3],[8178,1,"ὼι"],[8179,1,"ωι"],[8180,1,"ώι"],[8181,3],[8182,2],[8183,1,"ῶι"],[8184,1,"ὸ"],[8185,1,"ό"],[8186,1,"ὼ"],[8187,1,"ώ"],[8188,1,"ωι"],[8189,1," ́"],[8190,1," ̔"],[8191,3],[[8192,8202],1," "],[8203,7],[[8204,8205],6,""],[[8206,8207],3],[8208,2],[8209,1,"‐"],[[8210,8214],2],[8215,1," ̳"],[[8216,8227],2],[[8228,8230],3],[8231,2],[[8232,8238],3],[8239,1," "],[[8240,8242],2],[8243,1,"′′"],[8244,1,"′′′"],[8245,2],[8246,1,"‵‵"],[8247,1,"‵‵‵"],[[8248,8251],2],[8252,1,"!!"],[8253,2],[8254,1," ̅"],[[8255,8262],2],[8263,1,"??"],[8264,1,"?!"],[8265,1,"!?"],[[8266,8269],2],[[8270,8274],2],[[8275,8276],2],[[8277,8278],2],[8279,1,"′′′′"],[[8280,8286],2],[8287,1," "],[[8288,8291],7],[8292,7],[8293,3],[[8294,8297],3],[[8298,8303],7],[8304,1,"0"],[8305,1,"i"],[[8306,8307],3],[8308,1,"4"],[8309,1,"5"],[8310,1,"6"],[8311,1,"7"],[8312,1,"8"],[8313,1,"9"],[8314,1,"+"],[8315,1,"−"],[8316,1,"="],[8317,1,"("],[8318,1,")"],[8319,1,"n"],[8320,1,"0"],[8321,1,"1"],[8322,1,"2"],[8323,1,"3"],[8324,1,"4"],[8325,1,"5"],[8326,1,"6"],[8327,1,"7"],[8328,1,"8"],[8329,1,"9"],[8330,1,"+"],[8331,1,"−"],[8332,1,"="],[8333,1,"("],[8334,1,")"],[8335,3],[8336,1,"a"],[8337,1,"e"],[8338,1,"o"],[8339,1,"x"],[8340,1,"ə"],[8341,1,"h"],[8342,1,"k"],[8343,1,"l"],[8344,1,"m"],[8345,1,"n"],[8346,1,"p"],[8347,1,"s"],[8348,1,"t"],[[8349,8351],3],[[8352,8359],2],[8360,1,"rs"],[[8361,8362],2],[8363,2],[8364,2],[[8365,8367],2],[[8368,8369],2],[[8370,8373],2],[[8374,8376],2],[8377,2],[8378,2],[[8379,8381],2],[8382,2],[8383,2],[8384,2],[8385,2],[[8386,8399],3],[[8400,8417],2],[[8418,8419],2],[[8420,8426],2],[8427,2],[[8428,8431],2],[8432,2],[[8433,8447],3],[8448,1,"a/c"],[8449,1,"a/s"],[8450,1,"c"],[8451,1,"°c"],[8452,2],[8453,1,"c/o"],[8454,1,"c/u"],[8455,1,"ɛ"],[8456,2],[8457,1,"°f"],[8458,1,"g"],[[8459,8462],1,"h"],[8463,1,"ħ"],[[8464,8465],1,"i"],[[8466,8467],1,"l"],[8468,2],[8469,1,"n"],[8470,1,"no"],[[8471,8472],2],[8473,1,"p"],[8474,1,"q"],[[8475,8477],1,"r"],[[8478,8479],2],[8480,1,"sm"],[8481,1,"tel"],[8482,1,"tm"],[8483,2],[8484,1,"z"],[8485,2],[8486,1,"ω"],[8487,2],[8488,1,"z"],[8489,2],[8490,1,"k"],[8491,1,"å"],[8492,1,"b"],[8493,1,"c"],[8494,2],[[8495,8496],1,"e"],[8497,1,"f"],[8498,1,"ⅎ"],[8499,1,"m"],[8500,1,"o"],[8501,1,"א"],[8502,1,"ב"],[8503,1,"ג"],[8504,1,"ד"],[8505,1,"i"],[8506,2],[8507,1,"fax"],[8508,1,"π"],[[8509,8510],1,"γ"],[8511,1,"π"],[8512,1,"∑"],[[8513,8516],2],[[8517,8518],1,"d"],[8519,1,"e"],[8520,1,"i"],[8521,1,"j"],[[8522,8523],2],[8524,2],[8525,2],[8526,2],[8527,2],[8528,1,"1⁄7"],[8529,1,"1⁄9"],[8530,1,"1⁄10"],[8531,1,"1⁄3"],[8532,1,"2⁄3"],[8533,1,"1⁄5"],[8534,1,"2⁄5"],[8535,1,"3⁄5"],[8536,1,"4⁄5"],[8537,1,"1⁄6"],[8538,1,"5⁄6"],[8539,1,"1⁄8"],[8540,1,"3⁄8"],[8541,1,"5⁄8"],[8542,1,"7⁄8"],[8543,1,"1⁄"],[8544,1,"i"],[8545,1,"ii"],[8546,1,"iii"],[8547,1,"iv"],[8548,1,"v"],[8549,1,"vi"],[8550,1,"vii"],[8551,1,"viii"],[8552,1,"ix"],[8553,1,"x"],[8554,1,"xi"],[8555,1,"xii"],[8556,1,"l"],[8557,1,"c"],[8558,1,"d"],[8559,1,"m"],[8560,1,"i"],[8561,1,"ii"],[8562,1,"iii"],[8563,1,"iv"],[8564,1,"v"],[8565,1,"vi"],[8566,1,"vii"],[8567,1,"viii"],[8568,1,"ix"],[8569,1,"x"],[8570,1,"xi"],[8571,1,"xii"],[8572,1,"l"],[8573,1,"c"],[8574,1,"d"],[8575,1,"m"],[[8576,8578],2],[8579,1,"ↄ"],[8580,2],[[8581,8584],2],[8585,1,"0⁄3"],[[8586,8587],2],[[8588,8591],3],[[8592,8682],2],[[8683,8691],2],[[8692,8703],2],[[8704,8747],2],[8748,1,"∫∫"],[8749,1,"∫∫∫"],[8750,2],[8751,1,"∮∮"],[8752,1,"∮∮∮"],[[8753,8945],2],[[8946,8959],2],[8960,2],[8961,2],[[8962,9000],2],[9001,1,"〈"],[9002,1,"〉"],[[9003,9082],2],[9083,2],[9084,2],[[9085,9114],2],[[9115,9166],2],[[9167,9168],2],[[9169,9179],2],[[9180,9191],2],[9192,2],[[9193,9203],2],[[9204,9210],2],[[9211,9214],2],[9215,2],[[9216,9252],2],[[9253,9254],2],[[9255,9257],2],[[9258,9279],3],[[9280,9290],2],[[9291,9311],3],[9312,1,"1"],[9313,1,"2"],[9314,1,"3"],[9315,1,"4"],[9316,1,"5"],[9317,1,"6"],[9318,1,"7"],[9319,1,"8"],[9320,1,"9"],[9321,1,"10"],[9322,1,"11"],[9323,1,"12"],[9324,1,"13"],[9325,1,"14"],[9326,1,"15"],[9327,1,"16"],[9328,1,"17"],[9329,1,"18"],[9330,1,"19"],[9331,1,"20"],[9332,1,"(1)"],[9333,1,"(2)"],[9334,1,"(3)"],[9335,1,"(4)"],[9336,1,"(5)"],[9337,1,"(6)"],[9338,1,"(7)"],[9339,1,"(8)"],[9340,1,"(9)"],[9341,1,"(10)"],[9342,1,"(11)"],[9343,1,"(12)"],[9344,1,"(13)"],[9345,1,"(14)"],[9346,1,"(15)"],[9347,1,"(16)"],[9348,1,"(17)"],[9349,1,"(18)"],[9350,1,"(19)"],[9351,1,"(20)"],[[9352,9371],3],[9372,1,"(a)"],[9373,1,"(b)"],[9374,1,"(c)"],[9375,1,"(d)"],[9376,1,"(e)"],[9377,1,"(f)"],[9378,1,"(g)"],[9379,1,"(h)"],[9380,1,"(i)"],[9381,1,"(j)"],[9382,1,"(k)"],[9383,1,"(l)"],[9384,1,"(m)"],[9385,1,"(n)"],[9386,1,"(o)"],[9387,1,"(p)"],[9388,1,"(q)"],[9389,1,"(r)"],[9390,1,"(s)"],[9391,1,"(t)"],[9392,1,"(u)"],[9393,1,"(v)"],[9394,1,"(w)"],[9395,1,"(x)"],[9396,1,"(y)"],[9397,1,"(z)"],[9398,1,"a"],[9399,1,"b"],[9400,1,"c"],[9401,1,"d"],[9402,1,"e"],[9403,1,"f"],[9404,1,"g"],[9405,1,"h"],[9406,1,"i"],[9407,1,"j"],[9408,1,"k"],[9409,1,"l"],[9410,1,"m"],[9411,1,"n"],[9412,1,"o"],[9413,1,"p"],[9414,1,"q"],[9415,1,"r"],[9416,1,"s"],[9417,1,"t"],[9418,1,"u"],[9419,1,"v"],[9420,1,"w"],[9421,1,"x"],[9422,1,"y"],[9423,1,"z"],[9424,1,"a"],[9425,1,"b"],[9426,1,"c"],[9427,1,"d"],[9428,1,"e"],[9429,1,"f"],[9430,1,"g"],[9431,1,"h"],[9432,1,"i"],[9433,1,"j"],[9434,1,"k"],[9435,1,"l"],[9436,1,"m"],[9437,1,"n"],[9438,1,"o"],[9439,1,"p"],[9440,1,"q"],[9441,1,"r"],[9442,1,"s"],[9443,1,"t"],[9444,1,"u"],[9445,1,"v"],[9446,1,"w"],[9447,1,"x"],[9448,1,"y"],[9449,1,"z"],[9450,1,"0"],[[9451,9470],2],[9471,2],[[9472,9621],2],[[9622,9631],2],[[9632,9711],2],[[9712,9719],2],[[9720,9727],2],[[9728,9747],2],[[9748,9749],2],[[9750,9751],2],[9752,2],[9753,2],[[9754,9839],2],[[9840,9841],2],[[9842,9853],2],[[9854,9855],2],[[9856,9865],2],[[9866,9873],2],[[9874,9884],2],[9885,2],[[9886,9887],2],[[9888,9889],2],[[9890,9905],2],[9906,2],[[9907,9916],2],[[9917,9919],2],[[9920,9923],2],[[9924,9933],2],[9934,2],[[9935,9953],2],[9954,2],[9955,2],[[9956,9959],2],[[9960,9983],2],[9984,2],[[9985,9988],2],[9989,2],[[9990,9993],2],[[9994,9995],2],[[9996,10023],2],[10024,2],[[10025,10059],2],[10060,2],[10061,2],[10062,2],[[10063,10066],2],[[10067,10069],2],[10070,2],[10071,2],[[10072,10078],2],[[10079,10080],2],[[10081,10087],2],[[10088,10101],2],[[10102,10132],2],[[10133,10135],2],[[10136,10159],2],[10160,2],[[10161,10174],2],[10175,2],[[10176,10182],2],[[10183,10186],2],[10187,2],[10188,2],[10189,2],[[10190,10191],2],[[10192,10219],2],[[10220,10223],2],[[10224,10239],2],[[10240,10495],2],[[10496,10763],2],[10764,1,"∫∫∫∫"],[[10765,10867],2],[10868,1,"::="],[10869,1,"=="],[10870,1,"==="],[[10871,10971],2],[10972,1,"⫝̸"],[[10973,11007],2],[[11008,11021],2],[[11022,11027],2],[[11028,11034],2],[[11035,11039],2],[[11040,11043],2],[[11044,11084],2],[[11085,11087],2],[[11088,11092],2],[[11093,11097],2],[[11098,11123],2],[[11124,11125],3],[[11126,11157],2],[11158,2],[11159,2],[[11160,11193],2],[[11194,11196],2],[[11197,11208],2],[11209,2],[[11210,11217],2],[11218,2],[[11219,11243],2],[[11244,11247],2],[[11248,11262],2],[11263,2],[11264,1,"ⰰ"],[11265,1,"ⰱ"],[11266,1,"ⰲ"],[11267,1,"ⰳ"],[11268,1,"ⰴ"],[11269,1,"ⰵ"],[11270,1,"ⰶ"],[11271,1,"ⰷ"],[11272,1,"ⰸ"],[11273,1,"ⰹ"],[11274,1,"ⰺ"],[11275,1,"ⰻ"],[11276,1,"ⰼ"],[11277,1,"ⰽ"],[11278,1,"ⰾ"],[11279,1,"ⰿ"],[11280,1,"ⱀ"],[11281,1,"ⱁ"],[11282,1,"ⱂ"],[11283,1,"ⱃ"],[11284,1,"ⱄ"],[11285,1,"ⱅ"],[11286,1,"ⱆ"],[11287,1,"ⱇ"],[11288,1,"ⱈ"],[11289,1,"ⱉ"],[11290,1,"ⱊ"],[11291,1,"ⱋ"],[11292,1,"ⱌ"],[11293,1,"ⱍ"],[11294,1,"ⱎ"],[11295,1,"ⱏ"],[11296,1,"ⱐ"],[11297,1,"ⱑ"],[11298,1,"ⱒ"],[11299,1,"ⱓ"],[11300,1,"ⱔ"],[11301,1,"ⱕ"],[11302,1,"ⱖ"],[11303,1,"ⱗ"],[11304,1,"ⱘ"],[11305,1,"ⱙ"],[11306,1,"ⱚ"],[11307,1,"ⱛ"],[11308,1,"ⱜ"],[11309,1,"ⱝ"],[11310,1,"ⱞ"],[11311,1,"ⱟ"],[[11312,11358],2],[11359,2],[11360,1,"ⱡ"],[11361,2],[11362,1,"ɫ"],[11363,1,"ᵽ"],[11364,1,"ɽ"],[[11365,11366],2],[11367,1,"ⱨ"],[11368,2],[11369,1,"ⱪ"],[11370,2],[11371,1,"ⱬ"],[11372,2],[11373,1,"ɑ"],[11374,1,"ɱ"],[11375,1,"ɐ"],[11376,1,"ɒ"],[11377,2],[11378,1,"ⱳ"],[11379,2],[11380,2],[11381,1,"ⱶ"],[[11382,11383],2],[[11384,11387],2],[11388,1,"j"],[11389,1,"v"],[11390,1,"ȿ"],[11391,1,"ɀ"],[11392,1,"ⲁ"],[11393,2],[11394,1,"ⲃ"],[11395,2],[11396,1,"ⲅ"],[11397,2],[11398,1,"ⲇ"],[11399,2],[11400,1,"ⲉ"],[11401,2],[11402,1,"ⲋ"],[11403,2],[11404,1,"ⲍ"],[11405,2],[11406,1,"ⲏ"],[11407,2],[11408,1,"ⲑ"],[11409,2],[11410,1,"ⲓ"],[11411,2],[11412,1,"ⲕ"],[11413,2],[11414,1,"ⲗ"],[11415,2],[11416,1,"ⲙ"],[11417,2],[11418,1,"ⲛ"],[11419,2],[11420,1,"ⲝ"],[11421,2],[11422,1,"ⲟ"],[11423,2],[11424,1,"ⲡ"],[11425,2],[11426,1,"ⲣ"],[11427,2],[11428,1,"ⲥ"],[11429,2],[11430,1,"ⲧ"],[11431,2],[11432,1,"ⲩ"],[11433,2],[11434,1,"ⲫ"],[11435,2],[11436,1,"ⲭ"],[11437,2],[11438,1,"ⲯ"],[11439,2],[11440,1,"ⲱ"],[11441,2],[11442,1,"ⲳ"],[11443,2],[11444,1,"ⲵ"],[11445,2],[11446,1,"ⲷ"],[11447,2],[11448,1,"ⲹ"],[11449,2],[11450,1,"ⲻ"],[11451,2],[11452,1,"ⲽ"],[11453,2],[11454,1,"ⲿ"],[11455,2],[11456,1,"ⳁ"],[11457,2],[11458,1,"ⳃ"],[11459,2],[11460,1,"ⳅ"],[11461,2],[11462,1,"ⳇ"],[11463,2],[11464,1,"ⳉ"],[11465,2],[11466,1,"ⳋ"],[11467,2],[11468,1,"ⳍ"],[11469,2],[11470,1,"ⳏ"],[11471,2],[11472,1,"ⳑ"],[11473,2],[11474,1,"ⳓ"],[11475,2],[11476,1,"ⳕ"],[11477,2],[11478,1,"ⳗ"],[11479,2],[11480,1,"ⳙ"],[11481,2],[11482,1,"ⳛ"],[11483,2],[11484,1,"ⳝ"],[11485,2],[11486,1,"ⳟ"],[11487,2],[11488,1,"ⳡ"],[11489,2],[11490,1,"ⳣ"],[[11491,11492],2],[[11493,11498],2],[11499,1,"ⳬ"],[11500,2],[11501,1,"ⳮ"],[[11502,11505],2],[11506,1,"ⳳ"],[11507,2],[[11508,11512],3],[[11513,11519],2],[[11520,11557],2],[11558,3],[11559,2],[[11560,11564],3],[11565,2],[[11566,11567],3],[[11568,11621],2],[[11622,11623],2],[[11624,11630],3],[11631,1,"ⵡ"],[11632,2],[[11633,11646],3],[11647,2],[[11648,11670],2],[[11671,11679],3],[[11680,11686],2],[11687,3],[[11688,11694],2],[11695,3],[[11696,11702],2],[11703,3],[[11704,11710],2],[11711,3],[[11712,11718],2],[11719,3],[[11720,11726],2],[11727,3],[[11728,11734],2],[11735,3],[[11736,11742],2],[11743,3],[[11744,11775],2],[[11776,11799],2],[[11800,11803],2],[[11804,11805],2],[[11806,11822],2],[11823,2],[11824,2],[11825,2],[[11826,11835],2],[[11836,11842],2],[[11843,11844],2],[[11845,11849],2],[[11850,11854],2],[11855,2],[[11856,11858],2],[[11859,11869],2],[[11870,11903],3],[[11904,11929],2],[11930,3],[[11931,11934],2],[11935,1,"母"],[[11936,12018],2],[12019,1,"龟"],[[12020,12031],3],[12032,1,"一"],[12033,1,"丨"],[12034,1,"丶"],[12035,1,"丿"],[12036,1,"乙"],[12037,1,"亅"],[12038,1,"二"],[12039,1,"亠"],[12040,1,"人"],[12041,1,"儿"],[12042,1,"入"],[12043,1,"八"],[12044,1,"冂"],[12045,1,"冖"],[12046,1,"冫"],[12047,1,"几"],[12048,1,"凵"],[12049,1,"刀"],[12050,1,"力"],[12051,1,"勹"],[12052,1,"匕"],[12053,1,"匚"],[12054,1,"匸"],[12055,1,"十"],[12056,1,"卜"],[12057,1,"卩"],[12058,1,"厂"],[12059,1,"厶"],[12060,1,"又"],[12061,1,"口"],[12062,1,"囗"],[12063,1,"土"],[12064,1,"士"],[12065,1,"夂"],[12066,1,"夊"],[12067,1,"夕"],[12068,1,"大"],[12069,1,"女"],[12070,1,"子"],[12071,1,"宀"],[12072,1,"寸"],[12073,1,"小"],[12074,1,"尢"],[12075,1,"尸"],[12076,1,"屮"],[12077,1,"山"],[12078,1,"巛"],[12079,1,"工"],[12080,1,"己"],[12081,1,"巾"],[12082,1,"干"],[12083,1,"幺"],[12084,1,"广"],[12085,1,"廴"],[12086,1,"廾"],[12087,1,"弋"],[12088,1,"弓"],[12089,1,"彐"],[12090,1,"彡"],[12091,1,"彳"],[12092,1,"心"],[12093,1,"戈"],[12094,1,"戶"],[12095,1,"手"],[12096,1,"支"],[12097,1,"攴"],[12098,1,"文"],[12099,1,"斗"],[12100,1,"斤"],[12101,1,"方"],[12102,1,"无"],[12103,1,"日"],[12104,1,"曰"],[12105,1,"月"],[12106,1,"木"],[12107,1,"欠"],[12108,1,"止"],[12109,1,"歹"],[12110,1,"殳"],[12111,1,"毋"],[12112,1,"比"],[12113,1,"毛"],[12114,1,"氏"],[12115,1,"气"],[12116,1,"水"],[12117,1,"火"],[12118,1,"爪"],[12119,1,"父"],[12120,1,"爻"],[12121,1,"爿"],[12122,1,"片"],[12123,1,"牙"],[12124,1,"牛"],[12125,1,"犬"],[12126,1,"玄"],[12127,1,"玉"],[12128,1,"瓜"],[12129,1,"瓦"],[12130,1,"甘"],[12131,1,"生"],[12132,1,"用"],[12133,1,"田"],[12134,1,"疋"],[12135,1,"疒"],[12136,1,"癶"],[12137,1,"白"],[12138,1,"皮"],[12139,1,"皿"],[12140,1,"目"],[12141,1,"矛"],[12142,1,"矢"],[12143,1,"石"],[12144,1,"示"],[12145,1,"禸"],[12146,1,"禾"],[12147,1,"穴"],[12148,1,"立"],[12149,1,"竹"],[12150,1,"米"],[12151,1,"糸"],[12152,1,"缶"],[12153,1,"网"],[12154,1,"羊"],[12155,1,"羽"],[12156,1,"老"],[12157,1,"而"],[12158,1,"耒"],[12159,1,"耳"],[12160,1,"聿"],[12161,1,"肉"],[12162,1,"臣"],[12163,1,"自"],[12164,1,"至"],[12165,1,"臼"],[12166,1,"舌"],[12167,1,"舛"],[12168,1,"舟"],[12169,1,"艮"],[12170,1,"色"],[12171,1,"艸"],[12172,1,"虍"],[12173,1,"虫"],[12174,1,"血"],[12175,1,"行"],[12176,1,"衣"],[12177,1,"襾"],[12178,1,"見"],[12179,1,"角"],[12180,1,"言"],[12181,1,"谷"],[12182,1,"豆"],[12183,1,"豕"],[12184,1,"豸"],[12185,1,"貝"],[12186,1,"赤"],[12187,1,"走"],[12188,1,"足"],[12189,1,"身"],[12190,1,"車"],[12191,1,"辛"],[12192,1,"辰"],[12193,1,"辵"],[12194,1,"邑"],[12195,1,"酉"],[12196,1,"釆"],[12197,1,"里"],[12198,1,"金"],[12199,1,"長"],[12200,1,"門"],[12201,1,"阜"],[12202,1,"隶"],[12203,1,"隹"],[12204,1,"雨"],[12205,1,"靑"],[12206,1,"非"],[12207,1,"面"],[12208,1,"革"],[12209,1,"韋"],[12210,1,"韭"],[12211,1,"音"],[12212,1,"頁"],[12213,1,"風"],[12214,1,"飛"],[12215,1,"食"],[12216,1,"首"],[12217,1,"香"],[12218,1,"馬"],[12219,1,"骨"],[12220,1,"高"],[12221,1,"髟"],[12222,1,"鬥"],[12223,1,"鬯"],[12224,1,"鬲"],[12225,1,"鬼"],[12226,1,"魚"],[12227,1,"鳥"],[12228,1,"鹵"],[12229,1,"鹿"],[12230,1,"麥"],[12231,1,"麻"],[12232,1,"黃"],[12233,1,"黍"],[12234,1,"黑"],[12235,1,"黹"],[12236,1,"黽"],[12237,1,"鼎"],[12238,1,"鼓"],[12239,1,"鼠"],[12240,1,"鼻"],[12241,1,"齊"],[12242,1,"齒"],[12243,1,"龍"],[12244,1,"龜"],[12245,1,"龠"],[[12246,12271],3],[[12272,12283],3],[[12284,12287],3],[12288,1," "],[12289,2],[12290,1,"."],[[12291,12292],2],[[12293,12295],2],[[12296,12329],2],[[12330,12333],2],[[12334,12341],2],[12342,1,"〒"],[12343,2],[12344,1,"十"],[12345,1,"卄"],[12346,1,"卅"],[12347,2],[12348,2],[12349,2],[12350,2],[12351,2],[12352,3],[[12353,12436],2],[[12437,12438],2],[[12439,12440],3],[[12441,12442],2],[12443,1," ゙"],[12444,1," ゚"],[[12445,12446],2],[12447,1,"より"],[12448,2],[[12449,12542],2],[12543,1,"コト"],[[12544,12548],3],[[12549,12588],2],[12589,2],[12590,2],[12591,2],[12592,3],[12593,1,"ᄀ"],[12594,1,"ᄁ"],[12595,1,"ᆪ"],[12596,1,"ᄂ"],[12597,1,"ᆬ"],[12598,1,"ᆭ"],[12599,1,"ᄃ"],[12600,1,"ᄄ"],[12601,1,"ᄅ"],[12602,1,"ᆰ"],[12603,1,"ᆱ"],[12604,1,"ᆲ"],[12605,1,"ᆳ"],[12606,1,"ᆴ"],[12607,1,"ᆵ"],[12608,1,"ᄚ"],[12609,1,"ᄆ"],[12610,1,"ᄇ"],[12611,1,"ᄈ"],[12612,1,"ᄡ"],[12613,1,"ᄉ"],[12614,1,"ᄊ"],[12615,1,"ᄋ"],[12616,1,"ᄌ"],[12617,1,"ᄍ"],[12618,1,"ᄎ"],[12619,1,"ᄏ"],[12620,1,"ᄐ"],[12621,1,"ᄑ"],[12622,1,"ᄒ"],[12623,1,"ᅡ"],[12624,1,"ᅢ"],[12625,1,"ᅣ"],[12626,1,"ᅤ"],[12627,1,"ᅥ"],[12628,1,"ᅦ"],[12629,1,"ᅧ"],[12630,1,"ᅨ"],[12631,1,"ᅩ"],[12632,1,"ᅪ"],[12633,1,"ᅫ"],[12634,1,"ᅬ"],[12635,1,"ᅭ"],[12636,1,"ᅮ"],[12637,1,"ᅯ"],[12638,1,"ᅰ"],[12639,1,"ᅱ"],[12640,1,"ᅲ"],[12641,1,"ᅳ"],[12642,1,"ᅴ"],[12643,1,"ᅵ"],[12644,7],[12645,1,"ᄔ"],[12646,1,"ᄕ"],[12647,1,"ᇇ"],[12648,1,"ᇈ"],[12649,1,"ᇌ"],[12650,1,"ᇎ"],[12651,1,"ᇓ"],[12652,1,"ᇗ"],[12653,1,"ᇙ"],[12654,1,"ᄜ"],[12655,1,"ᇝ"],[12656,1,"ᇟ"],[12657,1,"ᄝ"],[12658,1,"ᄞ"],[12659,1,"ᄠ"],[12660,1,"ᄢ"],[12661,1,"ᄣ"],[12662,1,"ᄧ"],[12663,1,"ᄩ"],[12664,1,"ᄫ"],[12665,1,"ᄬ"],[12666,1,"ᄭ"],[12667,1,"ᄮ"],[12668,1,"ᄯ"],[12669,1,"ᄲ"],[12670,1,"ᄶ"],[12671,1,"ᅀ"],[12672,1,"ᅇ"],[12673,1,"ᅌ"],[12674,1,"ᇱ"],[12675,1,"ᇲ"],[12676,1,"ᅗ"],[12677,1,"ᅘ"],[12678,1,"ᅙ"],[12679,1,"ᆄ"],[12680,1,"ᆅ"],[12681,1,"ᆈ"],[12682,1,"ᆑ"],[12683,1,"ᆒ"],[12684,1,"ᆔ"],[12685,1,"ᆞ"],[12686,1,"ᆡ"],[12687,3],[[12688,12689],2],[12690,1,"一"],[12691,1,"二"],[12692,1,"三"],[12693,1,"四"],[12694,1,"上"],[12695,1,"中"],[12696,1,"下"],[12697,1,"甲"],[12698,1,"乙"],[12699,1,"丙"],[12700,1,"丁"],[12701,1,"天"],[12702,1,"地"],[12703,1,"人"],[[12704,12727],2],[[12728,12730],2],[[12731,12735],2],[[12736,12751],2],[[12752,12771],2],[[12772,12773],2],[[12774,12782],3],[12783,3],[[12784,12799],2],[12800,1,"(ᄀ)"],[12801,1,"(ᄂ)"],[12802,1,"(ᄃ)"],[12803,1,"(ᄅ)"],[12804,1,"(ᄆ)"],[12805,1,"(ᄇ)"],[12806,1,"(ᄉ)"],[12807,1,"(ᄋ)"],[12808,1,"(ᄌ)"],[12809,1,"(ᄎ)"],[12810,1,"(ᄏ)"],[12811,1,"(ᄐ)"],[12812,1,"(ᄑ)"],[12813,1,"(ᄒ)"],[12814,1,"(가)"],[12815,1,"(나)"],[12816,1,"(다)"],[12817,1,"(라)"],[12818,1,"(마)"],[12819,1,"(바)"],[12820,1,"(사)"],[12821,1,"(아)"],[12822,1,"(자)"],[12823,1,"(차)"],[12824,1,"(카)"],[12825,1,"(타)"],[12826,1,"(파)"],[12827,1,"(하)"],[12828,1,"(주)"],[12829,1,"(오전)"],[12830,1,"(오후)"],[12831,3],[12832,1,"(一)"],[12833,1,"(二)"],[12834,1,"(三)"],[12835,1,"(四)"],[12836,1,"(五)"],[12837,1,"(六)"],[12838,1,"(七)"],[12839,1,"(八)"],[12840,1,"(九)"],[12841,1,"(十)"],[12842,1,"(月)"],[12843,1,"(火)"],[12844,1,"(水)"],[12845,1,"(木)"],[12846,1,"(金)"],[12847,1,"(土)"],[12848,1,"(日)"],[12849,1,"(株)"],[12850,1,"(有)"],[12851,1,"(社)"],[12852,1,"(名)"],[12853,1,"(特)"],[12854,1,"(財)"],[12855,1,"(祝)"],[12856,1,"(労)"],[12857,1,"(代)"],[12858,1,"(呼)"],[12859,1,"(学)"],[12860,1,"(監)"],[12861,1,"(企)"],[12862,1,"(資)"],[12863,1,"(協)"],[12864,1,"(祭)"],[12865,1,"(休)"],[12866,1,"(自)"],[12867,1,"(至)"],[12868,1,"問"],[12869,1,"幼"],[12870,1,"文"],[12871,1,"箏"],[[12872,12879],2],[12880,1,"pte"],[12881,1,"21"],[12882,1,"22"],[12883,1,"23"],[12884,1,"24"],[12885,1,"25"],[12886,1,"26"],[12887,1,"27"],[12888,1,"28"],[12889,1,"29"],[12890,1,"30"],[12891,1,"31"],[12892,1,"32"],[12893,1,"33"],[12894,1,"34"],[12895,1,"35"],[12896,1,"ᄀ"],[12897,1,"ᄂ"],[12898,1,"ᄃ"],[12899,1,"ᄅ"],[12900,1,"ᄆ"],[12901,1,"ᄇ"],[12902,1,"ᄉ"],[12903,1,"ᄋ"],[12904,1,"ᄌ"],[12905,1,"ᄎ"],[12906,1,"ᄏ"],[12907,1,"ᄐ"],[12908,1,"ᄑ"],[12909,1,"ᄒ"],[12910,1,"가"],[12911,1,"나"],[12912,1,"다"],[12913,1,"라"],[12914,1,"마"],[12915,1,"바"],[12916,1,"사"],[12917,1,"아"],[12918,1,"자"],[12919,1,"차"],[12920,1,"카"],[12921,1,"타"],[12922,1,"파"],[12923,1,"하"],[12924,1,"참고"],[12925,1,"주의"],[12926,1,"우"],[12927,2],[12928,1,"一"],[12929,1,"二"],[12930,1,"三"],[12931,1,"四"],[12932,1,"五"],[12933,1,"六"],[12934,1,"七"],[12935,1,"八"],[12936,1,"九"],[12937,1,"十"],[12938,1,"月"],[12939,1,"火"],[12940,1,"水"],[12941,1,"木"],[12942,1,"金"],[12943,1,"土"],[12944,1,"日"],[12945,1,"株"],[12946,1,"有"],[12947,1,"社"],[12948,1,"名"],[12949,1,"特"],[12950,1,"財"],[12951,1,"祝"],[12952,1,"労"],[12953,1,"秘"],[12954,1,"男"],[12955,1,"女"],[12956,1,"適"],[12957,1,"優"],[12958,1,"印"],[12959,1,"注"],[12960,1,"項"],[12961,1,"休"],[12962,1,"写"],[12963,1,"正"],[12964,1,"上"],[12965,1,"中"],[12966,1,"下"],[12967,1,"左"],[12968,1,"右"],[12969,1,"医"],[12970,1,"宗"],[12971,1,"学"],[12972,1,"監"],[12973,1,"企"],[12974,1,"資"],[12975,1,"協"],[12976,1,"夜"],[12977,1,"36"],[12978,1,"37"],[12979,1,"38"],[12980,1,"39"],[12981,1,"40"],[12982,1,"41"],[12983,1,"42"],[12984,1,"43"],[12985,1,"44"],[12986,1,"45"],[12987,1,"46"],[12988,1,"47"],[12989,1,"48"],[12990,1,"49"],[12991,1,"50"],[12992,1,"1月"],[12993,1,"2月"],[12994,1,"3月"],[12995,1,"4月"],[12996,1,"5月"],[12997,1,"6月"],[12998,1,"7月"],[12999,1,"8月"],[13000,1,"9月"],[13001,1,"10月"],[13002,1,"11月"],[13003,1,"12月"],[13004,1,"hg"],[13005,1,"erg"],[13006,1,"ev"],[13007,1,"ltd"],[13008,1,"ア"],[13009,1,"イ"],[13010,1,"ウ"],[13011,1,"エ"],[13012,1,"オ"],[13013,1,"カ"],[13014,1,"キ"],[13015,1,"ク"],[13016,1,"ケ"],[13017,1,"コ"],[13018,1,"サ"],[13019,1,"シ"],[13020,1,"ス"],[13021,1,"セ"],[13022,1,"ソ"],[13023,1,"タ"],[13024,1,"チ"],[13025,1,"ツ"],[13026,1,"テ"],[13027,1,"ト"],[13028,1,"ナ"],[13029,1,"ニ"],[13030,1,"ヌ"],[13031,1,"ネ"],[13032,1,"ノ"],[13033,1,"ハ"],[13034,1,"ヒ"],[13035,1,"フ"],[13036,1,"ヘ"],[13037,1,"ホ"],[13038,1,"マ"],[13039,1,"ミ"],[13040,1,"ム"],[13041,1,"メ"],[13042,1,"モ"],[13043,1,"ヤ"],[13044,1,"ユ"],[13045,1,"ヨ"],[13046,1,"ラ"],[13047,1,"リ"],[13048,1,"ル"],[13049,1,"レ"],[13050,1,"ロ"],[13051,1,"ワ"],[13052,1,"ヰ"],[13053,1,"ヱ"],[13054,1,"ヲ"],[13055,1,"令和"],[13056,1,"アパート"],[13057,1,"アルファ"],[13058,1,"アンペア"],[13059,1,"アール"],[13060,1,"イニング"],[13061,1,"インチ"],[13062,1,"ウォン"],[13063,1,"エスクード"],[13064,1,"エーカー"],[13065,1,"オンス"],[13066,1,"オーム"],[13067,1,"カイリ"],[13068,1,"カラット"],[13069,1,"カロリー"],[13070,1,"ガロン"],[13071,1,"ガンマ"],[13072,1,"ギガ"],[13073,1,"ギニー"],[13074,1,"キュリー"],[13075,1,"ギルダー"],[13076,1,"キロ"],[13077,1,"キログラム"],[13078,1,"キロメートル"],[13079,1,"キロワット"],[13080,1,"グラム"],[13081,1,"グラムトン"],[13082,1,"クルゼイロ"],[13083,1,"クローネ"],[13084,1,"ケース"],[13085,1,"コルナ"],[13086,1,"コーポ"],[13087,1,"サイクル"],[13088,1,"サンチーム"],[13089,1,"シリング"],[13090,1,"センチ"],[13091,1,"セント"],[13092,1,"ダース"],[13093,1,"デシ"],[13094,1,"ドル"],[13095,1,"トン"],[13096,1,"ナノ"],[13097,1,"ノット"],[13098,1,"ハイツ"],[13099,1,"パーセント"],[13100,1,"パーツ"],[13101,1,"バーレル"],[13102,1,"ピアストル"],[13103,1,"ピクル"],[13104,1,"ピコ"],[13105,1,"ビル"],[13106,1,"ファラッド"],[13107,1,"フィート"],[13108,1,"ブッシェル"],[13109,1,"フラン"],[13110,1,"ヘクタール"],[13111,1,"ペソ"],[13112,1,"ペニヒ"],[13113,1,"ヘルツ"],[13114,1,"ペンス"],[13115,1,"ページ"],[13116,1,"ベータ"],[13117,1,"ポイント"],[13118,1,"ボルト"],[13119,1,"ホン"],[13120,1,"ポンド"],[13121,1,"ホール"],[13122,1,"ホーン"],[13123,1,"マイクロ"],[13124,1,"マイル"],[13125,1,"マッハ"],[13126,1,"マルク"],[13127,1,"マンション"],[13128,1,"ミクロン"],[13129,1,"ミリ"],[13130,1,"ミリバール"],[13131,1,"メガ"],[13132,1,"メガトン"],[13133,1,"メートル"],[13134,1,"ヤード"],[13135,1,"ヤール"],[13136,1,"ユアン"],[13137,1,"リットル"],[13138,1,"リラ"],[13139,1,"ルピー"],[13140,1,"ルーブル"],[13141,1,"レム"],[13142,1,"レントゲン"],[13143,1,"ワット"],[13144,1,"0点"],[13145,1,"1点"],[13146,1,"2点"],[13147,1,"3点"],[13148,1,"4点"],[13149,1,"5点"],[13150,1,"6点"],[13151,1,"7点"],[13152,1,"8点"],[13153,1,"9点"],[13154,1,"10点"],[13155,1,"11点"],[13156,1,"12点"],[13157,1,"13点"],[13158,1,"14点"],[13159,1,"15点"],[13160,1,"16点"],[13161,1,"17点"],[13162,1,"18点"],[13163,1,"19点"],[13164,1,"20点"],[13165,1,"21点"],[13166,1,"22点"],[13167,1,"23点"],[13168,1,"24点"],[13169,1,"hpa"],[13170,1,"da"],[13171,1,"au"],[13172,1,"bar"],[13173,1,"ov"],[13174,1,"pc"],[13175,1,"dm"],[13176,1,"dm2"],[13177,1,"dm3"],[13178,1,"iu"],[13179,1,"平成"],[13180,1,"昭和"],[13181,1,"大正"],[13182,1,"明治"],[13183,1,"株式会社"],[13184,1,"pa"],[13185,1,"na"],[13186,1,"μa"],[13187,1,"ma"],[13188,1,"ka"],[13189,1,"kb"],[13190,1,"mb"],[13191,1,"gb"],[13192,1,"cal"],[13193,1,"kcal"],[13194,1,"pf"],[13195,1,"nf"],[13196,1,"μf"],[13197,1,"μg"],[13198,1,"mg"],[13199,1,"kg"],[13200,1,"hz"],[13201,1,"khz"],[13202,1,"mhz"],[13203,1,"ghz"],[13204,1,"thz"],[13205,1,"μl"],[13206,1,"ml"],[13207,1,"dl"],[13208,1,"kl"],[13209,1,"fm"],[13210,1,"nm"],[13211,1,"μm"],[13212,1,"mm"],[13213,1,"cm"],[13214,1,"km"],[13215,1,"mm2"],[13216,1,"cm2"],[13217,1,"m2"],[13218,1,"km2"],[13219,1,"mm3"],[13220,1,"cm3"],[13221,1,"m3"],[13222,1,"km3"],[13223,1,"m∕s"],[13224,1,"m∕s2"],[13225,1,"pa"],[13226,1,"kpa"],[13227,1,"mpa"],[13228,1,"gpa"],[13229,1,"rad"],[13230,1,"rad∕s"],[13231,1,"rad∕s2"],[13232,1,"ps"],[13233,1,"ns"],[13234,1,"μs"],[13235,1,"ms"],[13236,1,"pv"],[13237,1,"nv"],[13238,1,"μv"],[13239,1,"mv"],[13240,1,"kv"],[13241,1,"mv"],[13242,1,"pw"],[13243,1,"nw"],[13244,1,"μw"],[13245,1,"mw"],[13246,1,"kw"],[13247,1,"mw"],[13248,1,"kω"],[13249,1,"mω"],[13250,3],[13251,1,"bq"],[13252,1,"cc"],[13253,1,"cd"],[13254,1,"c∕kg"],[13255,3],[13256,1,"db"],[13257,1,"gy"],[13258,1,"ha"],[13259,1,"hp"],[13260,1,"in"],[13261,1,"kk"],[13262,1,"km"],[13263,1,"kt"],[13264,1,"lm"],[13265,1,"ln"],[13266,1,"log"],[13267,1,"lx"],[13268,1,"mb"],[13269,1,"mil"],[13270,1,"mol"],[13271,1,"ph"],[13272,3],[13273,1,"ppm"],[13274,1,"pr"],[13275,1,"sr"],[13276,1,"sv"],[13277,1,"wb"],[13278,1,"v∕m"],[13279,1,"a∕m"],[13280,1,"1日"],[13281,1,"2日"],[13282,1,"3日"],[13283,1,"4日"],[13284,1,"5日"],[13285,1,"6日"],[13286,1,"7日"],[13287,1,"8日"],[13288,1,"9日"],[13289,1,"10日"],[13290,1,"11日"],[13291,1,"12日"],[13292,1,"13日"],[13293,1,"14日"],[13294,1,"15日"],[13295,1,"16日"],[13296,1,"17日"],[13297,1,"18日"],[13298,1,"19日"],[13299,1,"20日"],[13300,1,"21日"],[13301,1,"22日"],[13302,1,"23日"],[13303,1,"24日"],[13304,1,"25日"],[13305,1,"26日"],[13306,1,"27日"],[13307,1,"28日"],[13308,1,"29日"],[13309,1,"30日"],[13310,1,"31日"],[13311,1,"gal"],[[13312,19893],2],[[19894,19903],2],[[19904,19967],2],[[19968,40869],2],[[40870,40891],2],[[40892,40899],2],[[40900,40907],2],[40908,2],[[40909,40917],2],[[40918,40938],2],[[40939,40943],2],[[40944,40956],2],[[40957,40959],2],[[40960,42124],2],[[42125,42127],3],[[42128,42145],2],[[42146,42147],2],[[42148,42163],2],[42164,2],[[42165,42176],2],[42177,2],[[42178,42180],2],[42181,2],[42182,2],[[42183,42191],3],[[42192,42237],2],[[42238,42239],2],[[42240,42508],2],[[42509,42511],2],[[42512,42539],2],[[42540,42559],3],[42560,1,"ꙁ"],[42561,2],[42562,1,"ꙃ"],[42563,2],[42564,1,"ꙅ"],[42565,2],[42566,1,"ꙇ"],[42567,2],[42568,1,"ꙉ"],[42569,2],[42570,1,"ꙋ"],[42571,2],[42572,1,"ꙍ"],[42573,2],[42574,1,"ꙏ"],[42575,2],[42576,1,"ꙑ"],[42577,2],[42578,1,"ꙓ"],[42579,2],[42580,1,"ꙕ"],[42581,2],[42582,1,"ꙗ"],[42583,2],[42584,1,"ꙙ"],[42585,2],[42586,1,"ꙛ"],[42587,2],[42588,1,"ꙝ"],[42589,2],[42590,1,"ꙟ"],[42591,2],[42592,1,"ꙡ"],[42593,2],[42594,1,"ꙣ"],[42595,2],[42596,1,"ꙥ"],[42597,2],[42598,1,"ꙧ"],[42599,2],[42600,1,"ꙩ"],[42601,2],[42602,1,"ꙫ"],[42603,2],[42604,1,"ꙭ"],[[42605,42607],2],[[42608,42611],2],[[42612,42619],2],[[42620,42621],2],[42622,2],[42623,2],[42624,1,"ꚁ"],[42625,2],[42626,1,"ꚃ"],[42627,2],[42628,1,"ꚅ"],[42629,2],[42630,1,"ꚇ"],[42631,2],[42632,1,"ꚉ"],[42633,2],[42634,1,"ꚋ"],[42635,2],[42636,1,"ꚍ"],[42637,2],[42638,1,"ꚏ"],[42639,2],[42640,1,"ꚑ"],[42641,2],[42642,1,"ꚓ"],[42643,2],[42644,1,"ꚕ"],[42645,2],[42646,1,"ꚗ"],[42647,2],[42648,1,"ꚙ"],[42649,2],[42650,1,"ꚛ"],[42651,2],[42652,1,"ъ"],[42653,1,"ь"],[42654,2],[42655,2],[[42656,42725],2],[[42726,42735],2],[[42736,42737],2],[[42738,42743],2],[[42744,42751],3],[[42752,42774],2],[[42775,42778],2],[[42779,42783],2],[[42784,42785],2],[42786,1,"ꜣ"],[42787,2],[42788,1,"ꜥ"],[42789,2],[42790,1,"ꜧ"],[42791,2],[42792,1,"ꜩ"],[42793,2],[42794,1,"ꜫ"],[42795,2],[42796,1,"ꜭ"],[42797,2],[42798,1,"ꜯ"],[[42799,42801],2],[42802,1,"ꜳ"],[42803,2],[42804,1,"ꜵ"],[42805,2],[42806,1,"ꜷ"],[42807,2],[42808,1,"ꜹ"],[42809,2],[42810,1,"ꜻ"],[42811,2],[42812,1,"ꜽ"],[42813,2],[42814,1,"ꜿ"],[42815,2],[42816,1,"ꝁ"],[42817,2],[42818,1,"ꝃ"],[42819,2],[42820,1,"ꝅ"],[42821,2],[42822,1,"ꝇ"],[42823,2],[42824,1,"ꝉ"],[42825,2],[42826,1,"ꝋ"],[42827,2],[42828,1,"ꝍ"],[42829,2],[42830,1,"ꝏ"],[42831,2],[42832,1,"ꝑ"],[42833,2],[42834,1,"ꝓ"],[42835,2],[42836,1,"ꝕ"],[42837,2],[42838,1,"ꝗ"],[42839,2],[42840,1,"ꝙ"],[42841,2],[42842,1,"ꝛ"],[42843,2],[42844,1,"ꝝ"],[42845,2],[42846,1,"ꝟ"],[42847,2],[42848,1,"ꝡ"],[42849,2],[42850,1,"ꝣ"],[42851,2],[42852,1,"ꝥ"],[42853,2],[42854,1,"ꝧ"],[42855,2],[42856,1,"ꝩ"],[42857,2],[42858,1,"ꝫ"],[42859,2],[42860,1,"ꝭ"],[42861,2],[42862,1,"ꝯ"],[42863,2],[42864,1,"ꝯ"],[[42865,42872],2],[42873,1,"ꝺ"],[42874,2],[42875,1,"ꝼ"],[42876,2],[42877,1,"ᵹ"],[42878,1,"ꝿ"],[42879,2],[42880,1,"ꞁ"],[42881,2],[42882,1,"ꞃ"],[42883,2],[42884,1,"ꞅ"],[42885,2],[42886,1,"ꞇ"],[[42887,42888],2],[[42889,42890],2],[42891,1,"ꞌ"],[42892,2],[42893,1,"ɥ"],[42894,2],[42895,2],[42896,1,"ꞑ"],[42897,2],[42898,1,"ꞓ"],[42899,2],[[42900,42901],2],[42902,1,"ꞗ"],[42903,2],[42904,1,"ꞙ"],[42905,2],[42906,1,"ꞛ"],[42907,2],[42908,1,"ꞝ"],[42909,2],[42910,1,"ꞟ"],[42911,2],[42912,1,"ꞡ"],[42913,2],[42914,1,"ꞣ"],[42915,2],[42916,1,"ꞥ"],[42917,2],[42918,1,"ꞧ"],[42919,2],[42920,1,"ꞩ"],[42921,2],[42922,1,"ɦ"],[42923,1,"ɜ"],[42924,1,"ɡ"],[42925,1,"ɬ"],[42926,1,"ɪ"],[42927,2],[42928,1,"ʞ"],[42929,1,"ʇ"],[42930,1,"ʝ"],[42931,1,"ꭓ"],[42932,1,"ꞵ"],[42933,2],[42934,1,"ꞷ"],[42935,2],[42936,1,"ꞹ"],[42937,2],[42938,1,"ꞻ"],[42939,2],[42940,1,"ꞽ"],[42941,2],[42942,1,"ꞿ"],[42943,2],[42944,1,"ꟁ"],[42945,2],[42946,1,"ꟃ"],[42947,2],[42948,1,"ꞔ"],[42949,1,"ʂ"],[42950,1,"ᶎ"],[42951,1,"ꟈ"],[42952,2],[42953,1,"ꟊ"],[42954,2],[42955,1,"ɤ"],[42956,1,"ꟍ"],[42957,2],[42958,1,"꟏"],[42959,2],[42960,1,"ꟑ"],[42961,2],[42962,1,"ꟓ"],[42963,2],[42964,1,"ꟕ"],[42965,2],[42966,1,"ꟗ"],[42967,2],[42968,1,"ꟙ"],[42969,2],[42970,1,"ꟛ"],[42971,2],[42972,1,"ƛ"],[[42973,42992],3],[42993,1,"s"],[42994,1,"c"],[42995,1,"f"],[42996,1,"q"],[42997,1,"ꟶ"],[42998,2],[42999,2],[43000,1,"ħ"],[43001,1,"œ"],[43002,2],[[43003,43007],2],[[43008,43047],2],[[43048,43051],2],[43052,2],[[43053,43055],3],[[43056,43065],2],[[43066,43071],3],[[43072,43123],2],[[43124,43127],2],[[43128,43135],3],[[43136,43204],2],[43205,2],[[43206,43213],3],[[43214,43215],2],[[43216,43225],2],[[43226,43231],3],[[43232,43255],2],[[43256,43258],2],[43259,2],[43260,2],[43261,2],[[43262,43263],2],[[43264,43309],2],[[43310,43311],2],[[43312,43347],2],[[43348,43358],3],[43359,2],[[43360,43388],2],[[43389,43391],3],[[43392,43456],2],[[43457,43469],2],[43470,3],[[43471,43481],2],[[43482,43485],3],[[43486,43487],2],[[43488,43518],2],[43519,3],[[43520,43574],2],[[43575,43583],3],[[43584,43597],2],[[43598,43599],3],[[43600,43609],2],[[43610,43611],3],[[43612,43615],2],[[43616,43638],2],[[43639,43641],2],[[43642,43643],2],[[43644,43647],2],[[43648,43714],2],[[43715,43738],3],[[43739,43741],2],[[43742,43743],2],[[43744,43759],2],[[43760,43761],2],[[43762,43766],2],[[43767,43776],3],[[43777,43782],2],[[43783,43784],3],[[43785,43790],2],[[43791,43792],3],[[43793,43798],2],[[43799,43807],3],[[43808,43814],2],[43815,3],[[43816,43822],2],[43823,3],[[43824,43866],2],[43867,2],[43868,1,"ꜧ"],[43869,1,"ꬷ"],[43870,1,"ɫ"],[43871,1,"ꭒ"],[[43872,43875],2],[[43876,43877],2],[[43878,43879],2],[43880,2],[43881,1,"ʍ"],[[43882,43883],2],[[43884,43887],3],[43888,1,"Ꭰ"],[43889,1,"Ꭱ"],[43890,1,"Ꭲ"],[43891,1,"Ꭳ"],[43892,1,"Ꭴ"],[43893,1,"Ꭵ"],[43894,1,"Ꭶ"],[43895,1,"Ꭷ"],[43896,1,"Ꭸ"],[43897,1,"Ꭹ"],[43898,1,"Ꭺ"],[43899,1,"Ꭻ"],[43900,1,"Ꭼ"],[43901,1,"Ꭽ"],[43902,1,"Ꭾ"],[43903,1,"Ꭿ"],[43904,1,"Ꮀ"],[43905,1,"Ꮁ"],[43906,1,"Ꮂ"],[43907,1,"Ꮃ"],[43908,1,"Ꮄ"],[43909,1,"Ꮅ"],[43910,1,"Ꮆ"],[43911,1,"Ꮇ"],[43912,1,"Ꮈ"],[43913,1,"Ꮉ"],[43914,1,"Ꮊ"],[43915,1,"Ꮋ"],[43916,1,"Ꮌ"],[43917,1,"Ꮍ"],[43918,1,"Ꮎ"],[43919,1,"Ꮏ"],[43920,1,"Ꮐ"],[43921,1,"Ꮑ"],[43922,1,"Ꮒ"],[43923,1,"Ꮓ"],[43924,1,"Ꮔ"],[43925,1,"Ꮕ"],[43926,1,"Ꮖ"],[43927,1,"Ꮗ"],[43928,1,"Ꮘ"],[43929,1,"Ꮙ"],[43930,1,"Ꮚ"],[43931,1,"Ꮛ"],[43932,1,"Ꮜ"],[43933,1,"Ꮝ"],[43934,1,"Ꮞ"],[43935,1,"Ꮟ"],[43936,1,"Ꮠ"],[43937,1,"Ꮡ"],[43938,1,"Ꮢ"],[43939,1,"Ꮣ"],[43940,1,"Ꮤ"],[43941,1,"Ꮥ"],[43942,1,"Ꮦ"],[43943,1,"Ꮧ"],[43944,1,"Ꮨ"],[43945,1,"Ꮩ"],[43946,1,"Ꮪ"],[43947,1,"Ꮫ"],[43948,1,"Ꮬ"],[43949,1,"Ꮭ"],[43950,1,"Ꮮ"],[43951,1,"Ꮯ"],[43952,1,"Ꮰ"],[43953,1,"Ꮱ"],[43954,1,"Ꮲ"],[43955,1,"Ꮳ"],[43956,1,"Ꮴ"],[43957,1,"Ꮵ"],[43958,1,"Ꮶ"],[43959,1,"Ꮷ"],[43960,1,"Ꮸ"],[43961,1,"Ꮹ"],[43962,1,"Ꮺ"],[43963,1,"Ꮻ"],[43964,1,"Ꮼ"],[43965,1,"Ꮽ"],[43966,1,"Ꮾ"],[43967,1,"Ꮿ"],[[43968,44010],2],[44011,2],[[44012,44013],2],[[44014,44015],3],[[44016,44025],2],[[44026,44031],3],[[44032,55203],2],[[55204,55215],3],[[55216,55238],2],[[55239,55242],3],[[55243,55291],2],[[55292,55295],3],[[55296,57343],3],[[57344,63743],3],[63744,1,"豈"],[63745,1,"更"],[63746,1,"車"],[63747,1,"賈"],[63748,1,"滑"],[63749,1,"串"],[63750,1,"句"],[[63751,63752],1,"龜"],[63753,1,"契"],[63754,1,"金"],[63755,1,"喇"],[63756,1,"奈"],[63757,1,"懶"],[63758,1,"癩"],[63759,1,"羅"],[63760,1,"蘿"],[63761,1,"螺"],[63762,1,"裸"],[63763,1,"邏"],[63764,1,"樂"],[63765,1,"洛"],[63766,1,"烙"],[63767,1,"珞"],[63768,1,"落"],[63769,1,"酪"],[63770,1,"駱"],[63771,1,"亂"],[63772,1,"卵"],[63773,1,"欄"],[63774,1,"爛"],[63775,1,"蘭"],[63776,1,"鸞"],[63777,1,"嵐"],[63778,1,"濫"],[63779,1,"藍"],[63780,1,"襤"],[63781,1,"拉"],[63782,1,"臘"],[63783,1,"蠟"],[63784,1,"廊"],[63785,1,"朗"],[63786,1,"浪"],[63787,1,"狼"],[63788,1,"郎"],[63789,1,"來"],[63790,1,"冷"],[63791,1,"勞"],[63792,1,"擄"],[63793,1,"櫓"],[63794,1,"爐"],[63795,1,"盧"],[63796,1,"老"],[63797,1,"蘆"],[63798,1,"虜"],[63799,1,"路"],[63800,1,"露"],[63801,1,"魯"],[63802,1,"鷺"],[63803,1,"碌"],[63804,1,"祿"],[63805,1,"綠"],[63806,1,"菉"],[63807,1,"錄"],[63808,1,"鹿"],[63809,1,"論"],[63810,1,"壟"],[63811,1,"弄"],[63812,1,"籠"],[63813,1,"聾"],[63814,1,"牢"],[63815,1,"磊"],[63816,1,"賂"],[63817,1,"雷"],[63818,1,"壘"],[63819,1,"屢"],[63820,1,"樓"],[63821,1,"淚"],[63822,1,"漏"],[63823,1,"累"],[63824,1,"縷"],[63825,1,"陋"],[63826,1,"勒"],[63827,1,"肋"],[63828,1,"凜"],[63829,1,"凌"],[63830,1,"稜"],[63831,1,"綾"],[63832,1,"菱"],[63833,1,"陵"],[63834,1,"讀"],[63835,1,"拏"],[63836,1,"樂"],[63837,1,"諾"],[63838,1,"丹"],[63839,1,"寧"],[63840,1,"怒"],[63841,1,"率"],[63842,1,"異"],[63843,1,"北"],[63844,1,"磻"],[63845,1,"便"],[63846,1,"復"],[63847,1,"不"],[63848,1,"泌"],[63849,1,"數"],[63850,1,"索"],[63851,1,"參"],[63852,1,"塞"],[63853,1,"省"],[63854,1,"葉"],[63855,1,"說"],[63856,1,"殺"],[63857,1,"辰"],[63858,1,"沈"],[63859,1,"拾"],[63860,1,"若"],[63861,1,"掠"],[63862,1,"略"],[63863,1,"亮"],[63864,1,"兩"],[63865,1,"凉"],[63866,1,"梁"],[63867,1,"糧"],[63868,1,"良"],[63869,1,"諒"],[63870,1,"量"],[63871,1,"勵"],[63872,1,"呂"],[63873,1,"女"],[63874,1,"廬"],[63875,1,"旅"],[63876,1,"濾"],[63877,1,"礪"],[63878,1,"閭"],[63879,1,"驪"],[63880,1,"麗"],[63881,1,"黎"],[63882,1,"力"],[63883,1,"曆"],[63884,1,"歷"],[63885,1,"轢"],[63886,1,"年"],[63887,1,"憐"],[63888,1,"戀"],[63889,1,"撚"],[63890,1,"漣"],[63891,1,"煉"],[63892,1,"璉"],[63893,1,"秊"],[63894,1,"練"],[63895,1,"聯"],[63896,1,"輦"],[63897,1,"蓮"],[63898,1,"連"],[63899,1,"鍊"],[63900,1,"列"],[63901,1,"劣"],[63902,1,"咽"],[63903,1,"烈"],[63904,1,"裂"],[63905,1,"說"],[63906,1,"廉"],[63907,1,"念"],[63908,1,"捻"],[63909,1,"殮"],[63910,1,"簾"],[63911,1,"獵"],[63912,1,"令"],[63913,1,"囹"],[63914,1,"寧"],[63915,1,"嶺"],[63916,1,"怜"],[63917,1,"玲"],[63918,1,"瑩"],[63919,1,"羚"],[63920,1,"聆"],[63921,1,"鈴"],[63922,1,"零"],[63923,1,"靈"],[63924,1,"領"],[63925,1,"例"],[63926,1,"禮"],[63927,1,"醴"],[63928,1,"隸"],[63929,1,"惡"],[63930,1,"了"],[63931,1,"僚"],[63932,1,"寮"],[63933,1,"尿"],[63934,1,"料"],[63935,1,"樂"],[63936,1,"燎"],[63937,1,"療"],[63938,1,"蓼"],[63939,1,"遼"],[63940,1,"龍"],[63941,1,"暈"],[63942,1,"阮"],[63943,1,"劉"],[63944,1,"杻"],[63945,1,"柳"],[63946,1,"流"],[63947,1,"溜"],[63948,1,"琉"],[63949,1,"留"],[63950,1,"硫"],[63951,1,"紐"],[63952,1,"類"],[63953,1,"六"],[63954,1,"戮"],[63955,1,"陸"],[63956,1,"倫"],[63957,1,"崙"],[63958,1,"淪"],[63959,1,"輪"],[63960,1,"律"],[63961,1,"慄"],[63962,1,"栗"],[63963,1,"率"],[63964,1,"隆"],[63965,1,"利"],[63966,1,"吏"],[63967,1,"履"],[63968,1,"易"],[63969,1,"李"],[63970,1,"梨"],[63971,1,"泥"],[63972,1,"理"],[63973,1,"痢"],[63974,1,"罹"],[63975,1,"裏"],[63976,1,"裡"],[63977,1,"里"],[63978,1,"離"],[63979,1,"匿"],[63980,1,"溺"],[63981,1,"吝"],[63982,1,"燐"],[63983,1,"璘"],[63984,1,"藺"],[63985,1,"隣"],[63986,1,"鱗"],[63987,1,"麟"],[63988,1,"林"],[63989,1,"淋"],[63990,1,"臨"],[63991,1,"立"],[63992,1,"笠"],[63993,1,"粒"],[63994,1,"狀"],[63995,1,"炙"],[63996,1,"識"],[63997,1,"什"],[63998,1,"茶"],[63999,1,"刺"],[64000,1,"切"],[64001,1,"度"],[64002,1,"拓"],[64003,1,"糖"],[64004,1,"宅"],[64005,1,"洞"],[64006,1,"暴"],[64007,1,"輻"],[64008,1,"行"],[64009,1,"降"],[64010,1,"見"],[64011,1,"廓"],[64012,1,"兀"],[64013,1,"嗀"],[[64014,64015],2],[64016,1,"塚"],[64017,2],[64018,1,"晴"],[[64019,64020],2],[64021,1,"凞"],[64022,1,"猪"],[64023,1,"益"],[64024,1,"礼"],[64025,1,"神"],[64026,1,"祥"],[64027,1,"福"],[64028,1,"靖"],[64029,1,"精"],[64030,1,"羽"],[64031,2],[64032,1,"蘒"],[64033,2],[64034,1,"諸"],[[64035,64036],2],[64037,1,"逸"],[64038,1,"都"],[[64039,64041],2],[64042,1,"飯"],[64043,1,"飼"],[64044,1,"館"],[64045,1,"鶴"],[64046,1,"郞"],[64047,1,"隷"],[64048,1,"侮"],[64049,1,"僧"],[64050,1,"免"],[64051,1,"勉"],[64052,1,"勤"],[64053,1,"卑"],[64054,1,"喝"],[64055,1,"嘆"],[64056,1,"器"],[64057,1,"塀"],[64058,1,"墨"],[64059,1,"層"],[64060,1,"屮"],[64061,1,"悔"],[64062,1,"慨"],[64063,1,"憎"],[64064,1,"懲"],[64065,1,"敏"],[64066,1,"既"],[64067,1,"暑"],[64068,1,"梅"],[64069,1,"海"],[64070,1,"渚"],[64071,1,"漢"],[64072,1,"煮"],[64073,1,"爫"],[64074,1,"琢"],[64075,1,"碑"],[64076,1,"社"],[64077,1,"祉"],[64078,1,"祈"],[64079,1,"祐"],[64080,1,"祖"],[64081,1,"祝"],[64082,1,"禍"],[64083,1,"禎"],[64084,1,"穀"],[64085,1,"突"],[64086,1,"節"],[64087,1,"練"],[64088,1,"縉"],[64089,1,"繁"],[64090,1,"署"],[64091,1,"者"],[64092,1,"臭"],[[64093,64094],1,"艹"],[64095,1,"著"],[64096,1,"褐"],[64097,1,"視"],[64098,1,"謁"],[64099,1,"謹"],[64100,1,"賓"],[64101,1,"贈"],[64102,1,"辶"],[64103,1,"逸"],[64104,1,"難"],[64105,1,"響"],[64106,1,"頻"],[64107,1,"恵"],[64108,1,"𤋮"],[64109,1,"舘"],[[64110,64111],3],[64112,1,"並"],[64113,1,"况"],[64114,1,"全"],[64115,1,"侀"],[64116,1,"充"],[64117,1,"冀"],[64118,1,"勇"],[64119,1,"勺"],[64120,1,"喝"],[64121,1,"啕"],[64122,1,"喙"],[64123,1,"嗢"],[64124,1,"塚"],[64125,1,"墳"],[64126,1,"奄"],[64127,1,"奔"],[64128,1,"婢"],[64129,1,"嬨"],[64130,1,"廒"],[64131,1,"廙"],[64132,1,"彩"],[64133,1,"徭"],[64134,1,"惘"],[64135,1,"慎"],[64136,1,"愈"],[64137,1,"憎"],[64138,1,"慠"],[64139,1,"懲"],[64140,1,"戴"],[64141,1,"揄"],[64142,1,"搜"],[64143,1,"摒"],[64144,1,"敖"],[64145,1,"晴"],[64146,1,"朗"],[64147,1,"望"],[64148,1,"杖"],[64149,1,"歹"],[64150,1,"殺"],[64151,1,"流"],[64152,1,"滛"],[64153,1,"滋"],[64154,1,"漢"],[64155,1,"瀞"],[64156,1,"煮"],[64157,1,"瞧"],[64158,1,"爵"],[64159,1,"犯"],[64160,1,"猪"],[64161,1,"瑱"],[64162,1,"甆"],[64163,1,"画"],[64164,1,"瘝"],[64165,1,"瘟"],[64166,1,"益"],[64167,1,"盛"],[64168,1,"直"],[64169,1,"睊"],[64170,1,"着"],[64171,1,"磌"],[64172,1,"窱"],[64173,1,"節"],[64174,1,"类"],[64175,1,"絛"],[64176,1,"練"],[64177,1,"缾"],[64178,1,"者"],[64179,1,"荒"],[64180,1,"華"],[64181,1,"蝹"],[64182,1,"襁"],[64183,1,"覆"],[64184,1,"視"],[64185,1,"調"],[64186,1,"諸"],[64187,1,"請"],[64188,1,"謁"],[64189,1,"諾"],[64190,1,"諭"],[64191,1,"謹"],[64192,1,"變"],[64193,1,"贈"],[64194,1,"輸"],[64195,1,"遲"],[64196,1,"醙"],[64197,1,"鉶"],[64198,1,"陼"],[64199,1,"難"],[64200,1,"靖"],[64201,1,"韛"],[64202,1,"響"],[64203,1,"頋"],[64204,1,"頻"],[64205,1,"鬒"],[64206,1,"龜"],[64207,1,"𢡊"],[64208,1,"𢡄"],[64209,1,"𣏕"],[64210,1,"㮝"],[64211,1,"䀘"],[64212,1,"䀹"],[64213,1,"𥉉"],[64214,1,"𥳐"],[64215,1,"𧻓"],[64216,1,"齃"],[64217,1,"龎"],[[64218,64255],3],[64256,1,"ff"],[64257,1,"fi"],[64258,1,"fl"],[64259,1,"ffi"],[64260,1,"ffl"],[[64261,64262],1,"st"],[[64263,64274],3],[64275,1,"մն"],[64276,1,"մե"],[64277,1,"մի"],[64278,1,"վն"],[64279,1,"մխ"],[[64280,64284],3],[64285,1,"יִ"],[64286,2],[64287,1,"ײַ"],[64288,1,"ע"],[64289,1,"א"],[64290,1,"ד"],[64291,1,"ה"],[64292,1,"כ"],[64293,1,"ל"],[64294,1,"ם"],[64295,1,"ר"],[64296,1,"ת"],[64297,1,"+"],[64298,1,"שׁ"],[64299,1,"שׂ"],[64300,1,"שּׁ"],[64301,1,"שּׂ"],[64302,1,"אַ"],[64303,1,"אָ"],[64304,1,"אּ"],[64305,1,"בּ"],[64306,1,"גּ"],[64307,1,"דּ"],[64308,1,"הּ"],[64309,1,"וּ"],[64310,1,"זּ"],[64311,3],[64312,1,"טּ"],[64313,1,"יּ"],[64314,1,"ךּ"],[64315,1,"כּ"],[64316,1,"לּ"],[64317,3],[64318,1,"מּ"],[64319,3],[64320,1,"נּ"],[64321,1,"סּ"],[64322,3],[64323,1,"ףּ"],[64324,1,"פּ"],[64325,3],[64326,1,"צּ"],[64327,1,"קּ"],[64328,1,"רּ"],[64329,1,"שּ"],[64330,1,"תּ"],[64331,1,"וֹ"],[64332,1,"בֿ"],[64333,1,"כֿ"],[64334,1,"פֿ"],[64335,1,"אל"],[[64336,64337],1,"ٱ"],[[64338,64341],1,"ٻ"],[[64342,64345],1,"پ"],[[64346,64349],1,"ڀ"],[[64350,64353],1,"ٺ"],[[64354,64357],1,"ٿ"],[[64358,64361],1,"ٹ"],[[64362,64365],1,"ڤ"],[[64366,64369],1,"ڦ"],[[64370,64373],1,"ڄ"],[[64374,64377],1,"ڃ"],[[64378,64381],1,"چ"],[[64382,64385],1,"ڇ"],[[64386,64387],1,"ڍ"],[[64388,64389],1,"ڌ"],[[64390,64391],1,"ڎ"],[[64392,64393],1,"ڈ"],[[64394,64395],1,"ژ"],[[64396,64397],1,"ڑ"],[[64398,64401],1,"ک"],[[64402,64405],1,"گ"],[[64406,64409],1,"ڳ"],[[64410,64413],1,"ڱ"],[[64414,64415],1,"ں"],[[64416,64419],1,"ڻ"],[[64420,64421],1,"ۀ"],[[64422,64425],1,"ہ"],[[64426,64429],1,"ھ"],[[64430,64431],1,"ے"],[[64432,64433],1,"ۓ"],[[64434,64449],2],[64450,2],[[64451,64466],2],[[64467,64470],1,"ڭ"],[[64471,64472],1,"ۇ"],[[64473,64474],1,"ۆ"],[[64475,64476],1,"ۈ"],[64477,1,"ۇٴ"],[[64478,64479],1,"ۋ"],[[64480,64481],1,"ۅ"],[[64482,64483],1,"ۉ"],[[64484,64487],1,"ې"],[[64488,64489],1,"ى"],[[64490,64491],1,"ئا"],[[64492,64493],1,"ئە"],[[64494,64495],1,"ئو"],[[64496,64497],1,"ئۇ"],[[64498,64499],1,"ئۆ"],[[64500,64501],1,"ئۈ"],[[64502,64504],1,"ئې"],[[64505,64507],1,"ئى"],[[64508,64511],1,"ی"],[64512,1,"ئج"],[64513,1,"ئح"],[64514,1,"ئم"],[64515,1,"ئى"],[64516,1,"ئي"],[64517,1,"بج"],[64518,1,"بح"],[64519,1,"بخ"],[64520,1,"بم"],[64521,1,"بى"],[64522,1,"بي"],[64523,1,"تج"],[64524,1,"تح"],[64525,1,"تخ"],[64526,1,"تم"],[64527,1,"تى"],[64528,1,"تي"],[64529,1,"ثج"],[64530,1,"ثم"],[64531,1,"ثى"],[64532,1,"ثي"],[64533,1,"جح"],[64534,1,"جم"],[64535,1,"حج"],[64536,1,"حم"],[64537,1,"خج"],[64538,1,"خح"],[64539,1,"خم"],[64540,1,"سج"],[64541,1,"سح"],[64542,1,"سخ"],[64543,1,"سم"],[64544,1,"صح"],[64545,1,"صم"],[64546,1,"ضج"],[64547,1,"ضح"],[64548,1,"ضخ"],[64549,1,"ضم"],[64550,1,"طح"],[64551,1,"طم"],[64552,1,"ظم"],[64553,1,"عج"],[64554,1,"عم"],[64555,1,"غج"],[64556,1,"غم"],[64557,1,"فج"],[64558,1,"فح"],[64559,1,"فخ"],[64560,1,"فم"],[64561,1,"فى"],[64562,1,"في"],[64563,1,"قح"],[64564,1,"قم"],[64565,1,"قى"],[64566,1,"قي"],[64567,1,"كا"],[64568,1,"كج"],[64569,1,"كح"],[64570,1,"كخ"],[64571,1,"كل"],[64572,1,"كم"],[64573,1,"كى"],[64574,1,"كي"],[64575,1,"لج"],[64576,1,"لح"],[64577,1,"لخ"],[64578,1,"لم"],[64579,1,"لى"],[64580,1,"لي"],[64581,1,"مج"],[64582,1,"مح"],[64583,1,"مخ"],[64584,1,"مم"],[64585,1,"مى"],[64586,1,"مي"],[64587,1,"نج"],[64588,1,"نح"],[64589,1,"نخ"],[64590,1,"نم"],[64591,1,"نى"],[64592,1,"ني"],[64593,1,"هج"],[64594,1,"هم"],[64595,1,"هى"],[64596,1,"هي"],[64597,1,"يج"],[64598,1,"يح"],[64599,1,"يخ"],[64600,1,"يم"],[64601,1,"يى"],[64602,1,"يي"],[64603,1,"ذٰ"],[64604,1,"رٰ"],[64605,1,"ىٰ"],[64606,1," ٌّ"],[64607,1," ٍّ"],[64608,1," َّ"],[64609,1," ُّ"],[64610,1," ِّ"],[64611,1," ّٰ"],[64612,1,"ئر"],[64613,1,"ئز"],[64614,1,"ئم"],[64615,1,"ئن"],[64616,1,"ئى"],[64617,1,"ئي"],[64618,1,"بر"],[64619,1,"بز"],[64620,1,"بم"],[64621,1,"بن"],[64622,1,"بى"],[64623,1,"بي"],[64624,1,"تر"],[64625,1,"تز"],[64626,1,"تم"],[64627,1,"تن"],[64628,1,"تى"],[64629,1,"تي"],[64630,1,"ثر"],[64631,1,"ثز"],[64632,1,"ثم"],[64633,1,"ثن"],[64634,1,"ثى"],[64635,1,"ثي"],[64636,1,"فى"],[64637,1,"في"],[64638,1,"قى"],[64639,1,"قي"],[64640,1,"كا"],[64641,1,"كل"],[64642,1,"كم"],[64643,1,"كى"],[64644,1,"كي"],[64645,1,"لم"],[64646,1,"لى"],[64647,1,"لي"],[64648,1,"ما"],[64649,1,"مم"],[64650,1,"نر"],[64651,1,"نز"],[64652,1,"نم"],[64653,1,"نن"],[64654,1,"نى"],[64655,1,"ني"],[64656,1,"ىٰ"],[64657,1,"ير"],[64658,1,"يز"],[64659,1,"يم"],[64660,1,"ين"],[64661,1,"يى"],[64662,1,"يي"],[64663,1,"ئج"],[64664,1,"ئح"],[64665,1,"ئخ"],[64666,1,"ئم"],[64667,1,"ئه"],[64668,1,"بج"],[64669,1,"بح"],[64670,1,"بخ"],[64671,1,"بم"],[64672,1,"به"],[64673,1,"تج"],[64674,1,"تح"],[64675,1,"تخ"],[64676,1,"تم"],[64677,1,"ته"],[64678,1,"ثم"],[64679,1,"جح"],[64680,1,"جم"],[64681,1,"حج"],[64682,1,"حم"],[64683,1,"خج"],[64684,1,"خم"],[64685,1,"سج"],[64686,1,"سح"],[64687,1,"سخ"],[64688,1,"سم"],[64689,1,"صح"],[64690,1,"صخ"],[64691,1,"صم"],[64692,1,"ضج"],[64693,1,"ضح"],[64694,1,"ضخ"],[64695,1,"ضم"],[64696,1,"طح"],[64697,1,"ظم"],[64698,1,"عج"],[64699,1,"عم"],[64700,1,"غج"],[64701,1,"غم"],[64702,1,"فج"],[64703,1,"فح"],[64704,1,"فخ"],[64705,1,"فم"],[64706,1,"قح"],[64707,1,"قم"],[64708,1,"كج"],[64709,1,"كح"],[64710,1,"كخ"],[64711,1,"كل"],[64712,1,"كم"],[64713,1,"لج"],[64714,1,"لح"],[64715,1,"لخ"],[64716,1,"لم"],[64717,1,"له"],[64718,1,"مج"],[64719,1,"مح"],[64720,1,"مخ"],[64721,1,"مم"],[64722,1,"نج"],[64723,1,"نح"],[64724,1,"نخ"],[64725,1,"نم"],[64726,1,"نه"],[64727,1,"هج"],[64728,1,"هم"],[64729,1,"هٰ"],[64730,1,"يج"],[64731,1,"يح"],[64732,1,"يخ"],[64733,1,"يم"],[64734,1,"يه"],[64735,1,"ئم"],[64736,1,"ئه"],[64737,1,"بم"],[64738,1,"به"],[64739,1,"تم"],[64740,1,"ته"],[64741,1,"ثم"],[64742,1,"ثه"],[64743,1,"سم"],[64744,1,"سه"],[64745,1,"شم"],[64746,1,"شه"],[64747,1,"كل"],[64748,1,"كم"],[64749,1,"لم"],[64750,1,"نم"],[64751,1,"نه"],[64752,1,"يم"],[64753,1,"يه"],[64754,1,"ـَّ"],[64755,1,"ـُّ"],[64756,1,"ـِّ"],[64757,1,"طى"],[64758,1,"طي"],[64759,1,"عى"],[64760,1,"عي"],[64761,1,"غى"],[64762,1,"غي"],[64763,1,"سى"],[64764,1,"سي"],[64765,1,"شى"],[64766,1,"شي"],[64767,1,"حى"],[64768,1,"حي"],[64769,1,"جى"],[64770,1,"جي"],[64771,1,"خى"],[64772,1,"خي"],[64773,1,"صى"],[64774,1,"صي"],[64775,1,"ضى"],[64776,1,"ضي"],[64777,1,"شج"],[64778,1,"شح"],[64779,1,"شخ"],[64780,1,"شم"],[64781,1,"شر"],[64782,1,"سر"],[64783,1,"صر"],[64784,1,"ضر"],[64785,1,"طى"],[64786,1,"طي"],[64787,1,"عى"],[64788,1,"عي"],[64789,1,"غى"],[64790,1,"غي"],[64791,1,"سى"],[64792,1,"سي"],[64793,1,"شى"],[64794,1,"شي"],[64795,1,"حى"],[64796,1,"حي"],[64797,1,"جى"],[64798,1,"جي"],[64799,1,"خى"],[64800,1,"خي"],[64801,1,"صى"],[64802,1,"صي"],[64803,1,"ضى"],[64804,1,"ضي"],[64805,1,"شج"],[64806,1,"شح"],[64807,1,"شخ"],[64808,1,"شم"],[64809,1,"شر"],[64810,1,"سر"],[64811,1,"صر"],[64812,1,"ضر"],[64813,1,"شج"],[64814,1,"شح"],[64815,1,"شخ"],[64816,1,"شم"],[64817,1,"سه"],[64818,1,"شه"],[64819,1,"طم"],[64820,1,"سج"],[64821,1,"سح"],[64822,1,"سخ"],[64823,1,"شج"],[64824,1,"شح"],[64825,1,"شخ"],[64826,1,"طم"],[64827,1,"ظم"],[[64828,64829],1,"اً"],[[64830,64831],2],[[64832,64847],2],[64848,1,"تجم"],[[64849,64850],1,"تحج"],[64851,1,"تحم"],[64852,1,"تخم"],[64853,1,"تمج"],[64854,1,"تمح"],[64855,1,"تمخ"],[[64856,64857],1,"جمح"],[64858,1,"حمي"],[64859,1,"حمى"],[64860,1,"سحج"],[64861,1,"سجح"],[64862,1,"سجى"],[[64863,64864],1,"سمح"],[64865,1,"سمج"],[[64866,64867],1,"سمم"],[[64868,64869],1,"صحح"],[64870,1,"صمم"],[[64871,64872],1,"شحم"],[64873,1,"شجي"],[[64874,64875],1,"شمخ"],[[64876,64877],1,"شمم"],[64878,1,"ضحى"],[[64879,64880],1,"ضخم"],[[64881,64882],1,"طمح"],[64883,1,"طمم"],[64884,1,"طمي"],[64885,1,"عجم"],[[64886,64887],1,"عمم"],[64888,1,"عمى"],[64889,1,"غمم"],[64890,1,"غمي"],[64891,1,"غمى"],[[64892,64893],1,"فخم"],[64894,1,"قمح"],[64895,1,"قمم"],[64896,1,"لحم"],[64897,1,"لحي"],[64898,1,"لحى"],[[64899,64900],1,"لجج"],[[64901,64902],1,"لخم"],[[64903,64904],1,"لمح"],[64905,1,"محج"],[64906,1,"محم"],[64907,1,"محي"],[64908,1,"مجح"],[64909,1,"مجم"],[64910,1,"مخج"],[64911,1,"مخم"],[[64912,64913],2],[64914,1,"مجخ"],[64915,1,"همج"],[64916,1,"همم"],[64917,1,"نحم"],[64918,1,"نحى"],[[64919,64920],1,"نجم"],[64921,1,"نجى"],[64922,1,"نمي"],[64923,1,"نمى"],[[64924,64925],1,"يمم"],[64926,1,"بخي"],[64927,1,"تجي"],[64928,1,"تجى"],[64929,1,"تخي"],[64930,1,"تخى"],[64931,1,"تمي"],[64932,1,"تمى"],[64933,1,"جمي"],[64934,1,"جحى"],[64935,1,"جمى"],[64936,1,"سخى"],[64937,1,"صحي"],[64938,1,"شحي"],[64939,1,"ضحي"],[64940,1,"لجي"],[64941,1,"لمي"],[64942,1,"يحي"],[64943,1,"يجي"],[64944,1,"يمي"],[64945,1,"ممي"],[64946,1,"قمي"],[64947,1,"نحي"],[64948,1,"قمح"],[64949,1,"لحم"],[64950,1,"عمي"],[64951,1,"كمي"],[64952,1,"نجح"],[64953,1,"مخي"],[64954,1,"لجم"],[64955,1,"كمم"],[64956,1,"لجم"],[64957,1,"نجح"],[64958,1,"جحي"],[64959,1,"حجي"],[64960,1,"مجي"],[64961,1,"فمي"],[64962,1,"بحي"],[64963,1,"كمم"],[64964,1,"عجم"],[64965,1,"صمم"],[64966,1,"سخي"],[64967,1,"نجي"],[[64968,64974],2],[64975,2],[[64976,65007],3],[65008,1,"صلے"],[65009,1,"قلے"],[65010,1,"الله"],[65011,1,"اكبر"],[65012,1,"محمد"],[65013,1,"صلعم"],[65014,1,"رسول"],[65015,1,"عليه"],[65016,1,"وسلم"],[65017,1,"صلى"],[65018,1,"صلى الله عليه وسلم"],[65019,1,"جل جلاله"],[65020,1,"ریال"],[65021,2],[[65022,65023],2],[[65024,65039],7],[65040,1,","],[65041,1,"、"],[65042,3],[65043,1,":"],[65044,1,";"],[65045,1,"!"],[65046,1,"?"],[65047,1,"〖"],[65048,1,"〗"],[65049,3],[[65050,65055],3],[[65056,65059],2],[[65060,65062],2],[[65063,65069],2],[[65070,65071],2],[65072,3],[65073,1,"—"],[65074,1,"–"],[[65075,65076],1,"_"],[65077,1,"("],[65078,1,")"],[65079,1,"{"],[65080,1,"}"],[65081,1,"〔"],[65082,1,"〕"],[65083,1,"【"],[65084,1,"】"],[65085,1,"《"],[65086,1,"》"],[65087,1,"〈"],[65088,1,"〉"],[65089,1,"「"],[65090,1,"」"],[65091,1,"『"],[65092,1,"』"],[[65093,65094],2],[65095,1,"["],[65096,1,"]"],[[65097,65100],1," ̅"],[[65101,65103],1,"_"],[65104,1,","],[65105,1,"、"],[65106,3],[65107,3],[65108,1,";"],[65109,1,":"],[65110,1,"?"],[65111,1,"!"],[65112,1,"—"],[65113,1,"("],[65114,1,")"],[65115,1,"{"],[65116,1,"}"],[65117,1,"〔"],[65118,1,"〕"],[65119,1,"#"],[65120,1,"&"],[65121,1,"*"],[65122,1,"+"],[65123,1,"-"],[65124,1,"<"],[65125,1,">"],[65126,1,"="],[65127,3],[65128,1,"\\\\"],[65129,1,"$"],[65130,1,"%"],[65131,1,"@"],[[65132,65135],3],[65136,1," ً"],[65137,1,"ـً"],[65138,1," ٌ"],[65139,2],[65140,1," ٍ"],[65141,3],[65142,1," َ"],[65143,1,"ـَ"],[65144,1," ُ"],[65145,1,"ـُ"],[65146,1," ِ"],[65147,1,"ـِ"],[65148,1," ّ"],[65149,1,"ـّ"],[65150,1," ْ"],[65151,1,"ـْ"],[65152,1,"ء"],[[65153,65154],1,"آ"],[[65155,65156],1,"أ"],[[65157,65158],1,"ؤ"],[[65159,65160],1,"إ"],[[65161,65164],1,"ئ"],[[65165,65166],1,"ا"],[[65167,65170],1,"ب"],[[65171,65172],1,"ة"],[[65173,65176],1,"ت"],[[65177,65180],1,"ث"],[[65181,65184],1,"ج"],[[65185,65188],1,"ح"],[[65189,65192],1,"خ"],[[65193,65194],1,"د"],[[65195,65196],1,"ذ"],[[65197,65198],1,"ر"],[[65199,65200],1,"ز"],[[65201,65204],1,"س"],[[65205,65208],1,"ش"],[[65209,65212],1,"ص"],[[65213,65216],1,"ض"],[[65217,65220],1,"ط"],[[65221,65224],1,"ظ"],[[65225,65228],1,"ع"],[[65229,65232],1,"غ"],[[65233,65236],1,"ف"],[[65237,65240],1,"ق"],[[65241,65244],1,"ك"],[[65245,65248],1,"ل"],[[65249,65252],1,"م"],[[65253,65256],1,"ن"],[[65257,65260],1,"ه"],[[65261,65262],1,"و"],[[65263,65264],1,"ى"],[[65265,65268],1,"ي"],[[65269,65270],1,"لآ"],[[65271,65272],1,"لأ"],[[65273,65274],1,"لإ"],[[65275,65276],1,"لا"],[[65277,65278],3],[65279,7],[65280,3],[65281,1,"!"],[65282,1,"\\""],[65283,1,"#"],[65284,1,"$"],[65285,1,"%"],[65286,1,"&"],[65287,1,"\'"],[65288,1,"("],[65289,1,")"],[65290,1,"*"],[65291,1,"+"],[65292,1,","],[65293,1,"-"],[65294,1,"."],[65295,1,"/"],[65296,1,"0"],[65297,1,"1"],[65298,1,"2"],[65299,1,"3"],[65300,1,"4"],[65301,1,"5"],[65302,1,"6"],[65303,1,"7"],[65304,1,"8"],[65305,1,"9"],[65306,1,":"],[65307,1,";"],[65308,1,"<"],[65309,1,"="],[65310,1,">"],[65311,1,"?"],[65312,1,"@"],[65313,1,"a"],[65314,1,"b"],[65315,1,"c"],[65316,1,"d"],[65317,1,"e"],[65318,1,"f"],[65319,1,"g"],[65320,1,"h"],[65321,1,"i"],[65322,1,"j"],[65323,1,"k"],[65324,1,"l"],[65325,1,"m"],[65326,1,"n"],[65327,1,"o"],[65328,1,"p"],[65329,1,"q"],[65330,1,"r"],[65331,1,"s"],[65332,1,"t"],[65333,1,"u"],[65334,1,"v"],[65335,1,"w"],[65336,1,"x"],[65337,1,"y"],[65338,1,"z"],[65339,1,"["],[65340,1,"\\\\"],[65341,1,"]"],[65342,1,"^"],[65343,1,"_"],[65344,1,"`"],[65345,1,"a"],[65346,1,"b"],[65347,1,"c"],[65348,1,"d"],[65349,1,"e"],[65350,1,"f"],[65351,1,"g"],[65352,1,"h"],[65353,1,"i"],[65354,1,"j"],[65355,1,"k"],[65356,1,"l"],[65357,1,"m"],[65358,1,"n"],[65359,1,"o"],[65360,1,"p"],[65361,1,"q"],[65362,1,"r"],[65363,1,"s"],[65364,1,"t"],[65365,1,"u"],[65366,1,"v"],[65367,1,"w"],[65368,1,"x"],[65369,1,"y"],[65370,1,"z"],[65371,1,"{"],[65372,1,"|"],[65373,1,"}"],[65374,1,"~"],[65375,1,"⦅"],[65376,1,"⦆"],[65377,1,"."],[65378,1,"「"],[65379,1,"」"],[65380,1,"、"],[65381,1,"・"],[65382,1,"ヲ"],[65383,1,"ァ"],[65384,1,"ィ"],[65385,1,"ゥ"],[65386,1,"ェ"],[65387,1,"ォ"],[65388,1,"ャ"],[65389,1,"ュ"],[65390,1,"ョ"],[65391,1,"ッ"],[65392,1,"ー"],[65393,1,"ア"],[65394,1,"イ"],[65395,1,"ウ"],[65396,1,"エ"],[65397,1,"オ"],[65398,1,"カ"],[65399,1,"キ"],[65400,1,"ク"],[65401,1,"ケ"],[65402,1,"コ"],[65403,1,"サ"],[65404,1,"シ"],[65405,1,"ス"],[65406,1,"セ"],[65407,1,"ソ"],[65408,1,"タ"],[65409,1,"チ"],[65410,1,"ツ"],[65411,1,"テ"],[65412,1,"ト"],[65413,1,"ナ"],[65414,1,"ニ"],[65415,1,"ヌ"],[65416,1,"ネ"],[65417,1,"ノ"],[65418,1,"ハ"],[65419,1,"ヒ"],[65420,1,"フ"],[65421,1,"ヘ"],[65422,1,"ホ"],[65423,1,"マ"],[65424,1,"ミ"],[65425,1,"ム"],[65426,1,"メ"],[65427,1,"モ"],[65428,1,"ヤ"],[65429,1,"ユ"],[65430,1,"ヨ"],[65431,1,"ラ"],[65432,1,"リ"],[65433,1,"ル"],[65434,1,"レ"],[65435,1,"ロ"],[65436,1,"ワ"],[65437,1,"ン"],[65438,1,"゙"],[65439,1,"゚"],[65440,7],[65441,1,"ᄀ"],[65442,1,"ᄁ"],[65443,1,"ᆪ"],[65444,1,"ᄂ"],[65445,1,"ᆬ"],[65446,1,"ᆭ"],[65447,1,"ᄃ"],[65448,1,"ᄄ"],[65449,1,"ᄅ"],[65450,1,"ᆰ"],[65451,1,"ᆱ"],[65452,1,"ᆲ"],[65453,1,"ᆳ"],[65454,1,"ᆴ"],[65455,1,"ᆵ"],[65456,1,"ᄚ"],[65457,1,"ᄆ"],[65458,1,"ᄇ"],[65459,1,"ᄈ"],[65460,1,"ᄡ"],[65461,1,"ᄉ"],[65462,1,"ᄊ"],[65463,1,"ᄋ"],[65464,1,"ᄌ"],[65465,1,"ᄍ"],[65466,1,"ᄎ"],[65467,1,"ᄏ"],[65468,1,"ᄐ"],[65469,1,"ᄑ"],[65470,1,"ᄒ"],[[65471,65473],3],[65474,1,"ᅡ"],[65475,1,"ᅢ"],[65476,1,"ᅣ"],[65477,1,"ᅤ"],[65478,1,"ᅥ"],[65479,1,"ᅦ"],[[65480,65481],3],[65482,1,"ᅧ"],[65483,1,"ᅨ"],[65484,1,"ᅩ"],[65485,1,"ᅪ"],[65486,1,"ᅫ"],[65487,1,"ᅬ"],[[65488,65489],3],[65490,1,"ᅭ"],[65491,1,"ᅮ"],[65492,1,"ᅯ"],[65493,1,"ᅰ"],[65494,1,"ᅱ"],[65495,1,"ᅲ"],[[65496,65497],3],[65498,1,"ᅳ"],[65499,1,"ᅴ"],[65500,1,"ᅵ"],[[65501,65503],3],[65504,1,"¢"],[65505,1,"£"],[65506,1,"¬"],[65507,1," ̄"],[65508,1,"¦"],[65509,1,"¥"],[65510,1,"₩"],[65511,3],[65512,1,"│"],[65513,1,"←"],[65514,1,"↑"],[65515,1,"→"],[65516,1,"↓"],[65517,1,"■"],[65518,1,"○"],[[65519,65528],3],[[65529,65531],3],[65532,3],[65533,3],[[65534,65535],3],[[65536,65547],2],[65548,3],[[65549,65574],2],[65575,3],[[65576,65594],2],[65595,3],[[65596,65597],2],[65598,3],[[65599,65613],2],[[65614,65615],3],[[65616,65629],2],[[65630,65663],3],[[65664,65786],2],[[65787,65791],3],[[65792,65794],2],[[65795,65798],3],[[65799,65843],2],[[65844,65846],3],[[65847,65855],2],[[65856,65930],2],[[65931,65932],2],[[65933,65934],2],[65935,3],[[65936,65947],2],[65948,2],[[65949,65951],3],[65952,2],[[65953,65999],3],[[66000,66044],2],[66045,2],[[66046,66175],3],[[66176,66204],2],[[66205,66207],3],[[66208,66256],2],[[66257,66271],3],[66272,2],[[66273,66299],2],[[66300,66303],3],[[66304,66334],2],[66335,2],[[66336,66339],2],[[66340,66348],3],[[66349,66351],2],[[66352,66368],2],[66369,2],[[66370,66377],2],[66378,2],[[66379,66383],3],[[66384,66426],2],[[66427,66431],3],[[66432,66461],2],[66462,3],[66463,2],[[66464,66499],2],[[66500,66503],3],[[66504,66511],2],[[66512,66517],2],[[66518,66559],3],[66560,1,"𐐨"],[66561,1,"𐐩"],[66562,1,"𐐪"],[66563,1,"𐐫"],[66564,1,"𐐬"],[66565,1,"𐐭"],[66566,1,"𐐮"],[66567,1,"𐐯"],[66568,1,"𐐰"],[66569,1,"𐐱"],[66570,1,"𐐲"],[66571,1,"𐐳"],[66572,1,"𐐴"],[66573,1,"𐐵"],[66574,1,"𐐶"],[66575,1,"𐐷"],[66576,1,"𐐸"],[66577,1,"𐐹"],[66578,1,"𐐺"],[66579,1,"𐐻"],[66580,1,"𐐼"],[66581,1,"𐐽"],[66582,1,"𐐾"],[66583,1,"𐐿"],[66584,1,"𐑀"],[66585,1,"𐑁"],[66586,1,"𐑂"],[66587,1,"𐑃"],[66588,1,"𐑄"],[66589,1,"𐑅"],[66590,1,"𐑆"],[66591,1,"𐑇"],[66592,1,"𐑈"],[66593,1,"𐑉"],[66594,1,"𐑊"],[66595,1,"𐑋"],[66596,1,"𐑌"],[66597,1,"𐑍"],[66598,1,"𐑎"],[66599,1,"𐑏"],[[66600,66637],2],[[66638,66717],2],[[66718,66719],3],[[66720,66729],2],[[66730,66735],3],[66736,1,"𐓘"],[66737,1,"𐓙"],[66738,1,"𐓚"],[66739,1,"𐓛"],[66740,1,"𐓜"],[66741,1,"𐓝"],[66742,1,"𐓞"],[66743,1,"𐓟"],[66744,1,"𐓠"],[66745,1,"𐓡"],[66746,1,"𐓢"],[66747,1,"𐓣"],[66748,1,"𐓤"],[66749,1,"𐓥"],[66750,1,"𐓦"],[66751,1,"𐓧"],[66752,1,"𐓨"],[66753,1,"𐓩"],[66754,1,"𐓪"],[66755,1,"𐓫"],[66756,1,"𐓬"],[66757,1,"𐓭"],[66758,1,"𐓮"],[66759,1,"𐓯"],[66760,1,"𐓰"],[66761,1,"𐓱"],[66762,1,"𐓲"],[66763,1,"𐓳"],[66764,1,"𐓴"],[66765,1,"𐓵"],[66766,1,"𐓶"],[66767,1,"𐓷"],[66768,1,"𐓸"],[66769,1,"𐓹"],[66770,1,"𐓺"],[66771,1,"𐓻"],[[66772,66775],3],[[66776,66811],2],[[66812,66815],3],[[66816,66855],2],[[66856,66863],3],[[66864,66915],2],[[66916,66926],3],[66927,2],[66928,1,"𐖗"],[66929,1,"𐖘"],[66930,1,"𐖙"],[66931,1,"𐖚"],[66932,1,"𐖛"],[66933,1,"𐖜"],[66934,1,"𐖝"],[66935,1,"𐖞"],[66936,1,"𐖟"],[66937,1,"𐖠"],[66938,1,"𐖡"],[66939,3],[66940,1,"𐖣"],[66941,1,"𐖤"],[66942,1,"𐖥"],[66943,1,"𐖦"],[66944,1,"𐖧"],[66945,1,"𐖨"],[66946,1,"𐖩"],[66947,1,"𐖪"],[66948,1,"𐖫"],[66949,1,"𐖬"],[66950,1,"𐖭"],[66951,1,"𐖮"],[66952,1,"𐖯"],[66953,1,"𐖰"],[66954,1,"𐖱"],[66955,3],[66956,1,"𐖳"],[66957,1,"𐖴"],[66958,1,"𐖵"],[66959,1,"𐖶"],[66960,1,"𐖷"],[66961,1,"𐖸"],[66962,1,"𐖹"],[66963,3],[66964,1,"𐖻"],[66965,1,"𐖼"],[66966,3],[[66967,66977],2],[66978,3],[[66979,66993],2],[66994,3],[[66995,67001],2],[67002,3],[[67003,67004],2],[[67005,67007],3],[[67008,67059],2],[[67060,67071],3],[[67072,67382],2],[[67383,67391],3],[[67392,67413],2],[[67414,67423],3],[[67424,67431],2],[[67432,67455],3],[67456,2],[67457,1,"ː"],[67458,1,"ˑ"],[67459,1,"æ"],[67460,1,"ʙ"],[67461,1,"ɓ"],[67462,3],[67463,1,"ʣ"],[67464,1,"ꭦ"],[67465,1,"ʥ"],[67466,1,"ʤ"],[67467,1,"ɖ"],[67468,1,"ɗ"],[67469,1,"ᶑ"],[67470,1,"ɘ"],[67471,1,"ɞ"],[67472,1,"ʩ"],[67473,1,"ɤ"],[67474,1,"ɢ"],[67475,1,"ɠ"],[67476,1,"ʛ"],[67477,1,"ħ"],[67478,1,"ʜ"],[67479,1,"ɧ"],[67480,1,"ʄ"],[67481,1,"ʪ"],[67482,1,"ʫ"],[67483,1,"ɬ"],[67484,1,"𝼄"],[67485,1,"ꞎ"],[67486,1,"ɮ"],[67487,1,"𝼅"],[67488,1,"ʎ"],[67489,1,"𝼆"],[67490,1,"ø"],[67491,1,"ɶ"],[67492,1,"ɷ"],[67493,1,"q"],[67494,1,"ɺ"],[67495,1,"𝼈"],[67496,1,"ɽ"],[67497,1,"ɾ"],[67498,1,"ʀ"],[67499,1,"ʨ"],[67500,1,"ʦ"],[67501,1,"ꭧ"],[67502,1,"ʧ"],[67503,1,"ʈ"],[67504,1,"ⱱ"],[67505,3],[67506,1,"ʏ"],[67507,1,"ʡ"],[67508,1,"ʢ"],[67509,1,"ʘ"],[67510,1,"ǀ"],[67511,1,"ǁ"],[67512,1,"ǂ"],[67513,1,"𝼊"],[67514,1,"𝼞"],[[67515,67583],3],[[67584,67589],2],[[67590,67591],3],[67592,2],[67593,3],[[67594,67637],2],[67638,3],[[67639,67640],2],[[67641,67643],3],[67644,2],[[67645,67646],3],[67647,2],[[67648,67669],2],[67670,3],[[67671,67679],2],[[67680,67702],2],[[67703,67711],2],[[67712,67742],2],[[67743,67750],3],[[67751,67759],2],[[67760,67807],3],[[67808,67826],2],[67827,3],[[67828,67829],2],[[67830,67834],3],[[67835,67839],2],[[67840,67861],2],[[67862,67865],2],[[67866,67867],2],[[67868,67870],3],[67871,2],[[67872,67897],2],[[67898,67902],3],[67903,2],[[67904,67929],2],[[67930,67967],3],[[67968,68023],2],[[68024,68027],3],[[68028,68029],2],[[68030,68031],2],[[68032,68047],2],[[68048,68049],3],[[68050,68095],2],[[68096,68099],2],[68100,3],[[68101,68102],2],[[68103,68107],3],[[68108,68115],2],[68116,3],[[68117,68119],2],[68120,3],[[68121,68147],2],[[68148,68149],2],[[68150,68151],3],[[68152,68154],2],[[68155,68158],3],[68159,2],[[68160,68167],2],[68168,2],[[68169,68175],3],[[68176,68184],2],[[68185,68191],3],[[68192,68220],2],[[68221,68223],2],[[68224,68252],2],[[68253,68255],2],[[68256,68287],3],[[68288,68295],2],[68296,2],[[68297,68326],2],[[68327,68330],3],[[68331,68342],2],[[68343,68351],3],[[68352,68405],2],[[68406,68408],3],[[68409,68415],2],[[68416,68437],2],[[68438,68439],3],[[68440,68447],2],[[68448,68466],2],[[68467,68471],3],[[68472,68479],2],[[68480,68497],2],[[68498,68504],3],[[68505,68508],2],[[68509,68520],3],[[68521,68527],2],[[68528,68607],3],[[68608,68680],2],[[68681,68735],3],[68736,1,"𐳀"],[68737,1,"𐳁"],[68738,1,"𐳂"],[68739,1,"𐳃"],[68740,1,"𐳄"],[68741,1,"𐳅"],[68742,1,"𐳆"],[68743,1,"𐳇"],[68744,1,"𐳈"],[68745,1,"𐳉"],[68746,1,"𐳊"],[68747,1,"𐳋"],[68748,1,"𐳌"],[68749,1,"𐳍"],[68750,1,"𐳎"],[68751,1,"𐳏"],[68752,1,"𐳐"],[68753,1,"𐳑"],[68754,1,"𐳒"],[68755,1,"𐳓"],[68756,1,"𐳔"],[68757,1,"𐳕"],[68758,1,"𐳖"],[68759,1,"𐳗"],[68760,1,"𐳘"],[68761,1,"𐳙"],[68762,1,"𐳚"],[68763,1,"𐳛"],[68764,1,"𐳜"],[68765,1,"𐳝"],[68766,1,"𐳞"],[68767,1,"𐳟"],[68768,1,"𐳠"],[68769,1,"𐳡"],[68770,1,"𐳢"],[68771,1,"𐳣"],[68772,1,"𐳤"],[68773,1,"𐳥"],[68774,1,"𐳦"],[68775,1,"𐳧"],[68776,1,"𐳨"],[68777,1,"𐳩"],[68778,1,"𐳪"],[68779,1,"𐳫"],[68780,1,"𐳬"],[68781,1,"𐳭"],[68782,1,"𐳮"],[68783,1,"𐳯"],[68784,1,"𐳰"],[68785,1,"𐳱"],[68786,1,"𐳲"],[[68787,68799],3],[[68800,68850],2],[[68851,68857],3],[[68858,68863],2],[[68864,68903],2],[[68904,68911],3],[[68912,68921],2],[[68922,68927],3],[[68928,68943],2],[68944,1,"𐵰"],[68945,1,"𐵱"],[68946,1,"𐵲"],[68947,1,"𐵳"],[68948,1,"𐵴"],[68949,1,"𐵵"],[68950,1,"𐵶"],[68951,1,"𐵷"],[68952,1,"𐵸"],[68953,1,"𐵹"],[68954,1,"𐵺"],[68955,1,"𐵻"],[68956,1,"𐵼"],[68957,1,"𐵽"],[68958,1,"𐵾"],[68959,1,"𐵿"],[68960,1,"𐶀"],[68961,1,"𐶁"],[68962,1,"𐶂"],[68963,1,"𐶃"],[68964,1,"𐶄"],[68965,1,"𐶅"],[[68966,68968],3],[[68969,68973],2],[68974,2],[[68975,68997],2],[[68998,69005],3],[[69006,69007],2],[[69008,69215],3],[[69216,69246],2],[69247,3],[[69248,69289],2],[69290,3],[[69291,69292],2],[69293,2],[[69294,69295],3],[[69296,69297],2],[[69298,69313],3],[[69314,69316],2],[[69317,69319],2],[[69320,69327],3],[[69328,69336],2],[[69337,69369],3],[[69370,69371],2],[69372,2],[[69373,69375],2],[[69376,69404],2],[[69405,69414],2],[69415,2],[[69416,69423],3],[[69424,69456],2],[[69457,69465],2],[[69466,69487],3],[[69488,69509],2],[[69510,69513],2],[[69514,69551],3],[[69552,69572],2],[[69573,69579],2],[[69580,69599],3],[[69600,69622],2],[[69623,69631],3],[[69632,69702],2],[[69703,69709],2],[[69710,69713],3],[[69714,69733],2],[[69734,69743],2],[[69744,69749],2],[[69750,69758],3],[69759,2],[[69760,69818],2],[[69819,69820],2],[69821,3],[[69822,69825],2],[69826,2],[[69827,69836],3],[69837,3],[[69838,69839],3],[[69840,69864],2],[[69865,69871],3],[[69872,69881],2],[[69882,69887],3],[[69888,69940],2],[69941,3],[[69942,69951],2],[[69952,69955],2],[[69956,69958],2],[69959,2],[[69960,69967],3],[[69968,70003],2],[[70004,70005],2],[70006,2],[[70007,70015],3],[[70016,70084],2],[[70085,70088],2],[[70089,70092],2],[70093,2],[[70094,70095],2],[[70096,70105],2],[70106,2],[70107,2],[70108,2],[[70109,70111],2],[70112,3],[[70113,70132],2],[[70133,70143],3],[[70144,70161],2],[70162,3],[[70163,70199],2],[[70200,70205],2],[70206,2],[[70207,70209],2],[[70210,70271],3],[[70272,70278],2],[70279,3],[70280,2],[70281,3],[[70282,70285],2],[70286,3],[[70287,70301],2],[70302,3],[[70303,70312],2],[70313,2],[[70314,70319],3],[[70320,70378],2],[[70379,70383],3],[[70384,70393],2],[[70394,70399],3],[70400,2],[[70401,70403],2],[70404,3],[[70405,70412],2],[[70413,70414],3],[[70415,70416],2],[[70417,70418],3],[[70419,70440],2],[70441,3],[[70442,70448],2],[70449,3],[[70450,70451],2],[70452,3],[[70453,70457],2],[70458,3],[70459,2],[[70460,70468],2],[[70469,70470],3],[[70471,70472],2],[[70473,70474],3],[[70475,70477],2],[[70478,70479],3],[70480,2],[[70481,70486],3],[70487,2],[[70488,70492],3],[[70493,70499],2],[[70500,70501],3],[[70502,70508],2],[[70509,70511],3],[[70512,70516],2],[[70517,70527],3],[[70528,70537],2],[70538,3],[70539,2],[[70540,70541],3],[70542,2],[70543,3],[[70544,70581],2],[70582,3],[[70583,70592],2],[70593,3],[70594,2],[[70595,70596],3],[70597,2],[70598,3],[[70599,70602],2],[70603,3],[[70604,70611],2],[[70612,70613],2],[70614,3],[[70615,70616],2],[[70617,70624],3],[[70625,70626],2],[[70627,70655],3],[[70656,70730],2],[[70731,70735],2],[[70736,70745],2],[70746,2],[70747,2],[70748,3],[70749,2],[70750,2],[70751,2],[[70752,70753],2],[[70754,70783],3],[[70784,70853],2],[70854,2],[70855,2],[[70856,70863],3],[[70864,70873],2],[[70874,71039],3],[[71040,71093],2],[[71094,71095],3],[[71096,71104],2],[[71105,71113],2],[[71114,71127],2],[[71128,71133],2],[[71134,71167],3],[[71168,71232],2],[[71233,71235],2],[71236,2],[[71237,71247],3],[[71248,71257],2],[[71258,71263],3],[[71264,71276],2],[[71277,71295],3],[[71296,71351],2],[71352,2],[71353,2],[[71354,71359],3],[[71360,71369],2],[[71370,71375],3],[[71376,71395],2],[[71396,71423],3],[[71424,71449],2],[71450,2],[[71451,71452],3],[[71453,71467],2],[[71468,71471],3],[[71472,71481],2],[[71482,71487],2],[[71488,71494],2],[[71495,71679],3],[[71680,71738],2],[71739,2],[[71740,71839],3],[71840,1,"𑣀"],[71841,1,"𑣁"],[71842,1,"𑣂"],[71843,1,"𑣃"],[71844,1,"𑣄"],[71845,1,"𑣅"],[71846,1,"𑣆"],[71847,1,"𑣇"],[71848,1,"𑣈"],[71849,1,"𑣉"],[71850,1,"𑣊"],[71851,1,"𑣋"],[71852,1,"𑣌"],[71853,1,"𑣍"],[71854,1,"𑣎"],[71855,1,"𑣏"],[71856,1,"𑣐"],[71857,1,"𑣑"],[71858,1,"𑣒"],[71859,1,"𑣓"],[71860,1,"𑣔"],[71861,1,"𑣕"],[71862,1,"𑣖"],[71863,1,"𑣗"],[71864,1,"𑣘"],[71865,1,"𑣙"],[71866,1,"𑣚"],[71867,1,"𑣛"],[71868,1,"𑣜"],[71869,1,"𑣝"],[71870,1,"𑣞"],[71871,1,"𑣟"],[[71872,71913],2],[[71914,71922],2],[[71923,71934],3],[71935,2],[[71936,71942],2],[[71943,71944],3],[71945,2],[[71946,71947],3],[[71948,71955],2],[71956,3],[[71957,71958],2],[71959,3],[[71960,71989],2],[71990,3],[[71991,71992],2],[[71993,71994],3],[[71995,72003],2],[[72004,72006],2],[[72007,72015],3],[[72016,72025],2],[[72026,72095],3],[[72096,72103],2],[[72104,72105],3],[[72106,72151],2],[[72152,72153],3],[[72154,72161],2],[72162,2],[[72163,72164],2],[[72165,72191],3],[[72192,72254],2],[[72255,72262],2],[72263,2],[[72264,72271],3],[[72272,72323],2],[[72324,72325],2],[[72326,72345],2],[[72346,72348],2],[72349,2],[[72350,72354],2],[[72355,72367],3],[[72368,72383],2],[[72384,72440],2],[[72441,72447],3],[[72448,72457],2],[[72458,72543],3],[[72544,72551],2],[[72552,72639],3],[[72640,72672],2],[72673,2],[[72674,72687],3],[[72688,72697],2],[[72698,72703],3],[[72704,72712],2],[72713,3],[[72714,72758],2],[72759,3],[[72760,72768],2],[[72769,72773],2],[[72774,72783],3],[[72784,72793],2],[[72794,72812],2],[[72813,72815],3],[[72816,72817],2],[[72818,72847],2],[[72848,72849],3],[[72850,72871],2],[72872,3],[[72873,72886],2],[[72887,72959],3],[[72960,72966],2],[72967,3],[[72968,72969],2],[72970,3],[[72971,73014],2],[[73015,73017],3],[73018,2],[73019,3],[[73020,73021],2],[73022,3],[[73023,73031],2],[[73032,73039],3],[[73040,73049],2],[[73050,73055],3],[[73056,73061],2],[73062,3],[[73063,73064],2],[73065,3],[[73066,73102],2],[73103,3],[[73104,73105],2],[73106,3],[[73107,73112],2],[[73113,73119],3],[[73120,73129],2],[[73130,73135],3],[[73136,73179],2],[[73180,73183],3],[[73184,73193],2],[[73194,73439],3],[[73440,73462],2],[[73463,73464],2],[[73465,73471],3],[[73472,73488],2],[73489,3],[[73490,73530],2],[[73531,73533],3],[[73534,73538],2],[[73539,73551],2],[[73552,73561],2],[73562,2],[[73563,73647],3],[73648,2],[[73649,73663],3],[[73664,73713],2],[[73714,73726],3],[73727,2],[[73728,74606],2],[[74607,74648],2],[74649,2],[[74650,74751],3],[[74752,74850],2],[[74851,74862],2],[74863,3],[[74864,74867],2],[74868,2],[[74869,74879],3],[[74880,75075],2],[[75076,77711],3],[[77712,77808],2],[[77809,77810],2],[[77811,77823],3],[[77824,78894],2],[78895,2],[[78896,78904],3],[[78905,78911],3],[[78912,78933],2],[[78934,78943],3],[[78944,82938],2],[[82939,82943],3],[[82944,83526],2],[[83527,90367],3],[[90368,90425],2],[[90426,92159],3],[[92160,92728],2],[[92729,92735],3],[[92736,92766],2],[92767,3],[[92768,92777],2],[[92778,92781],3],[[92782,92783],2],[[92784,92862],2],[92863,3],[[92864,92873],2],[[92874,92879],3],[[92880,92909],2],[[92910,92911],3],[[92912,92916],2],[92917,2],[[92918,92927],3],[[92928,92982],2],[[92983,92991],2],[[92992,92995],2],[[92996,92997],2],[[92998,93007],3],[[93008,93017],2],[93018,3],[[93019,93025],2],[93026,3],[[93027,93047],2],[[93048,93052],3],[[93053,93071],2],[[93072,93503],3],[[93504,93548],2],[[93549,93551],2],[[93552,93561],2],[[93562,93759],3],[93760,1,"𖹠"],[93761,1,"𖹡"],[93762,1,"𖹢"],[93763,1,"𖹣"],[93764,1,"𖹤"],[93765,1,"𖹥"],[93766,1,"𖹦"],[93767,1,"𖹧"],[93768,1,"𖹨"],[93769,1,"𖹩"],[93770,1,"𖹪"],[93771,1,"𖹫"],[93772,1,"𖹬"],[93773,1,"𖹭"],[93774,1,"𖹮"],[93775,1,"𖹯"],[93776,1,"𖹰"],[93777,1,"𖹱"],[93778,1,"𖹲"],[93779,1,"𖹳"],[93780,1,"𖹴"],[93781,1,"𖹵"],[93782,1,"𖹶"],[93783,1,"𖹷"],[93784,1,"𖹸"],[93785,1,"𖹹"],[93786,1,"𖹺"],[93787,1,"𖹻"],[93788,1,"𖹼"],[93789,1,"𖹽"],[93790,1,"𖹾"],[93791,1,"𖹿"],[[93792,93823],2],[[93824,93850],2],[[93851,93855],3],[93856,1,"𖺻"],[93857,1,"𖺼"],[93858,1,"𖺽"],[93859,1,"𖺾"],[93860,1,"𖺿"],[93861,1,"𖻀"],[93862,1,"𖻁"],[93863,1,"𖻂"],[93864,1,"𖻃"],[93865,1,"𖻄"],[93866,1,"𖻅"],[93867,1,"𖻆"],[93868,1,"𖻇"],[93869,1,"𖻈"],[93870,1,"𖻉"],[93871,1,"𖻊"],[93872,1,"𖻋"],[93873,1,"𖻌"],[93874,1,"𖻍"],[93875,1,"𖻎"],[93876,1,"𖻏"],[93877,1,"𖻐"],[93878,1,"𖻑"],[93879,1,"𖻒"],[93880,1,"𖻓"],[[93881,93882],3],[[93883,93907],2],[[93908,93951],3],[[93952,94020],2],[[94021,94026],2],[[94027,94030],3],[94031,2],[[94032,94078],2],[[94079,94087],2],[[94088,94094],3],[[94095,94111],2],[[94112,94175],3],[94176,2],[94177,2],[94178,2],[94179,2],[94180,2],[[94181,94191],3],[[94192,94193],2],[[94194,94195],2],[[94196,94198],2],[[94199,94207],3],[[94208,100332],2],[[100333,100337],2],[[100338,100343],2],[[100344,100351],2],[[100352,101106],2],[[101107,101589],2],[[101590,101630],3],[101631,2],[[101632,101640],2],[[101641,101662],2],[[101663,101759],3],[[101760,101874],2],[[101875,110575],3],[[110576,110579],2],[110580,3],[[110581,110587],2],[110588,3],[[110589,110590],2],[110591,3],[[110592,110593],2],[[110594,110878],2],[[110879,110882],2],[[110883,110897],3],[110898,2],[[110899,110927],3],[[110928,110930],2],[[110931,110932],3],[110933,2],[[110934,110947],3],[[110948,110951],2],[[110952,110959],3],[[110960,111355],2],[[111356,113663],3],[[113664,113770],2],[[113771,113775],3],[[113776,113788],2],[[113789,113791],3],[[113792,113800],2],[[113801,113807],3],[[113808,113817],2],[[113818,113819],3],[113820,2],[[113821,113822],2],[113823,2],[[113824,113827],7],[[113828,117759],3],[[117760,117973],2],[117974,1,"a"],[117975,1,"b"],[117976,1,"c"],[117977,1,"d"],[117978,1,"e"],[117979,1,"f"],[117980,1,"g"],[117981,1,"h"],[117982,1,"i"],[117983,1,"j"],[117984,1,"k"],[117985,1,"l"],[117986,1,"m"],[117987,1,"n"],[117988,1,"o"],[117989,1,"p"],[117990,1,"q"],[117991,1,"r"],[117992,1,"s"],[117993,1,"t"],[117994,1,"u"],[117995,1,"v"],[117996,1,"w"],[117997,1,"x"],[117998,1,"y"],[117999,1,"z"],[118000,1,"0"],[118001,1,"1"],[118002,1,"2"],[118003,1,"3"],[118004,1,"4"],[118005,1,"5"],[118006,1,"6"],[118007,1,"7"],[118008,1,"8"],[118009,1,"9"],[[118010,118012],2],[[118013,118015],3],[[118016,118451],2],[[118452,118457],3],[[118458,118480],2],[[118481,118495],3],[[118496,118512],2],[[118513,118527],3],[[118528,118573],2],[[118574,118575],3],[[118576,118598],2],[[118599,118607],3],[[118608,118723],2],[[118724,118783],3],[[118784,119029],2],[[119030,119039],3],[[119040,119078],2],[[119079,119080],3],[119081,2],[[119082,119133],2],[119134,1,"𝅗𝅥"],[119135,1,"𝅘𝅥"],[119136,1,"𝅘𝅥𝅮"],[119137,1,"𝅘𝅥𝅯"],[119138,1,"𝅘𝅥𝅰"],[119139,1,"𝅘𝅥𝅱"],[119140,1,"𝅘𝅥𝅲"],[[119141,119154],2],[[119155,119162],7],[[119163,119226],2],[119227,1,"𝆹𝅥"],[119228,1,"𝆺𝅥"],[119229,1,"𝆹𝅥𝅮"],[119230,1,"𝆺𝅥𝅮"],[119231,1,"𝆹𝅥𝅯"],[119232,1,"𝆺𝅥𝅯"],[[119233,119261],2],[[119262,119272],2],[[119273,119274],2],[[119275,119295],3],[[119296,119365],2],[[119366,119487],3],[[119488,119507],2],[[119508,119519],3],[[119520,119539],2],[[119540,119551],3],[[119552,119638],2],[[119639,119647],3],[[119648,119665],2],[[119666,119672],2],[[119673,119807],3],[119808,1,"a"],[119809,1,"b"],[119810,1,"c"],[119811,1,"d"],[119812,1,"e"],[119813,1,"f"],[119814,1,"g"],[119815,1,"h"],[119816,1,"i"],[119817,1,"j"],[119818,1,"k"],[119819,1,"l"],[119820,1,"m"],[119821,1,"n"],[119822,1,"o"],[119823,1,"p"],[119824,1,"q"],[119825,1,"r"],[119826,1,"s"],[119827,1,"t"],[119828,1,"u"],[119829,1,"v"],[119830,1,"w"],[119831,1,"x"],[119832,1,"y"],[119833,1,"z"],[119834,1,"a"],[119835,1,"b"],[119836,1,"c"],[119837,1,"d"],[119838,1,"e"],[119839,1,"f"],[119840,1,"g"],[119841,1,"h"],[119842,1,"i"],[119843,1,"j"],[119844,1,"k"],[119845,1,"l"],[119846,1,"m"],[119847,1,"n"],[119848,1,"o"],[119849,1,"p"],[119850,1,"q"],[119851,1,"r"],[119852,1,"s"],[119853,1,"t"],[119854,1,"u"],[119855,1,"v"],[119856,1,"w"],[119857,1,"x"],[119858,1,"y"],[119859,1,"z"],[119860,1,"a"],[119861,1,"b"],[119862,1,"c"],[119863,1,"d"],[119864,1,"e"],[119865,1,"f"],[119866,1,"g"],[119867,1,"h"],[119868,1,"i"],[119869,1,"j"],[119870,1,"k"],[119871,1,"l"],[119872,1,"m"],[119873,1,"n"],[119874,1,"o"],[119875,1,"p"],[119876,1,"q"],[119877,1,"r"],[119878,1,"s"],[119879,1,"t"],[119880,1,"u"],[119881,1,"v"],[119882,1,"w"],[119883,1,"x"],[119884,1,"y"],[119885,1,"z"],[119886,1,"a"],[119887,1,"b"],[119888,1,"c"],[119889,1,"d"],[119890,1,"e"],[119891,1,"f"],[119892,1,"g"],[119893,3],[119894,1,"i"],[119895,1,"j"],[119896,1,"k"],[119897,1,"l"],[119898,1,"m"],[119899,1,"n"],[119900,1,"o"],[119901,1,"p"],[119902,1,"q"],[119903,1,"r"],[119904,1,"s"],[119905,1,"t"],[119906,1,"u"],[119907,1,"v"],[119908,1,"w"],[119909,1,"x"],[119910,1,"y"],[119911,1,"z"],[119912,1,"a"],[119913,1,"b"],[119914,1,"c"],[119915,1,"d"],[119916,1,"e"],[119917,1,"f"],[119918,1,"g"],[119919,1,"h"],[119920,1,"i"],[119921,1,"j"],[119922,1,"k"],[119923,1,"l"],[119924,1,"m"],[119925,1,"n"],[119926,1,"o"],[119927,1,"p"],[119928,1,"q"],[119929,1,"r"],[119930,1,"s"],[119931,1,"t"],[119932,1,"u"],[119933,1,"v"],[119934,1,"w"],[119935,1,"x"],[119936,1,"y"],[119937,1,"z"],[119938,1,"a"],[119939,1,"b"],[119940,1,"c"],[119941,1,"d"],[119942,1,"e"],[119943,1,"f"],[119944,1,"g"],[119945,1,"h"],[119946,1,"i"],[119947,1,"j"],[119948,1,"k"],[119949,1,"l"],[119950,1,"m"],[119951,1,"n"],[119952,1,"o"],[119953,1,"p"],[119954,1,"q"],[119955,1,"r"],[119956,1,"s"],[119957,1,"t"],[119958,1,"u"],[119959,1,"v"],[119960,1,"w"],[119961,1,"x"],[119962,1,"y"],[119963,1,"z"],[119964,1,"a"],[119965,3],[119966,1,"c"],[119967,1,"d"],[[119968,119969],3],[119970,1,"g"],[[119971,119972],3],[119973,1,"j"],[119974,1,"k"],[[119975,119976],3],[119977,1,"n"],[119978,1,"o"],[119979,1,"p"],[119980,1,"q"],[119981,3],[119982,1,"s"],[119983,1,"t"],[119984,1,"u"],[119985,1,"v"],[119986,1,"w"],[119987,1,"x"],[119988,1,"y"],[119989,1,"z"],[119990,1,"a"],[119991,1,"b"],[119992,1,"c"],[119993,1,"d"],[119994,3],[119995,1,"f"],[119996,3],[119997,1,"h"],[119998,1,"i"],[119999,1,"j"],[120000,1,"k"],[120001,1,"l"],[120002,1,"m"],[120003,1,"n"],[120004,3],[120005,1,"p"],[120006,1,"q"],[120007,1,"r"],[120008,1,"s"],[120009,1,"t"],[120010,1,"u"],[120011,1,"v"],[120012,1,"w"],[120013,1,"x"],[120014,1,"y"],[120015,1,"z"],[120016,1,"a"],[120017,1,"b"],[120018,1,"c"],[120019,1,"d"],[120020,1,"e"],[120021,1,"f"],[120022,1,"g"],[120023,1,"h"],[120024,1,"i"],[120025,1,"j"],[120026,1,"k"],[120027,1,"l"],[120028,1,"m"],[120029,1,"n"],[120030,1,"o"],[120031,1,"p"],[120032,1,"q"],[120033,1,"r"],[120034,1,"s"],[120035,1,"t"],[120036,1,"u"],[120037,1,"v"],[120038,1,"w"],[120039,1,"x"],[120040,1,"y"],[120041,1,"z"],[120042,1,"a"],[120043,1,"b"],[120044,1,"c"],[120045,1,"d"],[120046,1,"e"],[120047,1,"f"],[120048,1,"g"],[120049,1,"h"],[120050,1,"i"],[120051,1,"j"],[120052,1,"k"],[120053,1,"l"],[120054,1,"m"],[120055,1,"n"],[120056,1,"o"],[120057,1,"p"],[120058,1,"q"],[120059,1,"r"],[120060,1,"s"],[120061,1,"t"],[120062,1,"u"],[120063,1,"v"],[120064,1,"w"],[120065,1,"x"],[120066,1,"y"],[120067,1,"z"],[120068,1,"a"],[120069,1,"b"],[120070,3],[120071,1,"d"],[120072,1,"e"],[120073,1,"f"],[120074,1,"g"],[[120075,120076],3],[120077,1,"j"],[120078,1,"k"],[120079,1,"l"],[120080,1,"m"],[120081,1,"n"],[120082,1,"o"],[120083,1,"p"],[120084,1,"q"],[120085,3],[120086,1,"s"],[120087,1,"t"],[120088,1,"u"],[120089,1,"v"],[120090,1,"w"],[120091,1,"x"],[120092,1,"y"],[120093,3],[120094,1,"a"],[120095,1,"b"],[120096,1,"c"],[120097,1,"d"],[120098,1,"e"],[120099,1,"f"],[120100,1,"g"],[120101,1,"h"],[120102,1,"i"],[120103,1,"j"],[120104,1,"k"],[120105,1,"l"],[120106,1,"m"],[120107,1,"n"],[120108,1,"o"],[120109,1,"p"],[120110,1,"q"],[120111,1,"r"],[120112,1,"s"],[120113,1,"t"],[120114,1,"u"],[120115,1,"v"],[120116,1,"w"],[120117,1,"x"],[120118,1,"y"],[120119,1,"z"],[120120,1,"a"],[120121,1,"b"],[120122,3],[120123,1,"d"],[120124,1,"e"],[120125,1,"f"],[120126,1,"g"],[120127,3],[120128,1,"i"],[120129,1,"j"],[120130,1,"k"],[120131,1,"l"],[120132,1,"m"],[120133,3],[120134,1,"o"],[[120135,120137],3],[120138,1,"s"],[120139,1,"t"],[120140,1,"u"],[120141,1,"v"],[120142,1,"w"],[120143,1,"x"],[120144,1,"y"],[120145,3],[120146,1,"a"],[120147,1,"b"],[120148,1,"c"],[120149,1,"d"],[120150,1,"e"],[120151,1,"f"],[120152,1,"g"],[120153,1,"h"],[120154,1,"i"],[120155,1,"j"],[120156,1,"k"],[120157,1,"l"],[120158,1,"m"],[120159,1,"n"],[120160,1,"o"],[120161,1,"p"],[120162,1,"q"],[120163,1,"r"],[120164,1,"s"],[120165,1,"t"],[120166,1,"u"],[120167,1,"v"],[120168,1,"w"],[120169,1,"x"],[120170,1,"y"],[120171,1,"z"],[120172,1,"a"],[120173,1,"b"],[120174,1,"c"],[120175,1,"d"],[120176,1,"e"],[120177,1,"f"],[120178,1,"g"],[120179,1,"h"],[120180,1,"i"],[120181,1,"j"],[120182,1,"k"],[120183,1,"l"],[120184,1,"m"],[120185,1,"n"],[120186,1,"o"],[120187,1,"p"],[120188,1,"q"],[120189,1,"r"],[120190,1,"s"],[120191,1,"t"],[120192,1,"u"],[120193,1,"v"],[120194,1,"w"],[120195,1,"x"],[120196,1,"y"],[120197,1,"z"],[120198,1,"a"],[120199,1,"b"],[120200,1,"c"],[120201,1,"d"],[120202,1,"e"],[120203,1,"f"],[120204,1,"g"],[120205,1,"h"],[120206,1,"i"],[120207,1,"j"],[120208,1,"k"],[120209,1,"l"],[120210,1,"m"],[120211,1,"n"],[120212,1,"o"],[120213,1,"p"],[120214,1,"q"],[120215,1,"r"],[120216,1,"s"],[120217,1,"t"],[120218,1,"u"],[120219,1,"v"],[120220,1,"w"],[120221,1,"x"],[120222,1,"y"],[120223,1,"z"],[120224,1,"a"],[120225,1,"b"],[120226,1,"c"],[120227,1,"d"],[120228,1,"e"],[120229,1,"f"],[120230,1,"g"],[120231,1,"h"],[120232,1,"i"],[120233,1,"j"],[120234,1,"k"],[120235,1,"l"],[120236,1,"m"],[120237,1,"n"],[120238,1,"o"],[120239,1,"p"],[120240,1,"q"],[120241,1,"r"],[120242,1,"s"],[120243,1,"t"],[120244,1,"u"],[120245,1,"v"],[120246,1,"w"],[120247,1,"x"],[120248,1,"y"],[120249,1,"z"],[120250,1,"a"],[120251,1,"b"],[120252,1,"c"],[120253,1,"d"],[120254,1,"e"],[120255,1,"f"],[120256,1,"g"],[120257,1,"h"],[120258,1,"i"],[120259,1,"j"],[120260,1,"k"],[120261,1,"l"],[120262,1,"m"],[120263,1,"n"],[120264,1,"o"],[120265,1,"p"],[120266,1,"q"],[120267,1,"r"],[120268,1,"s"],[120269,1,"t"],[120270,1,"u"],[120271,1,"v"],[120272,1,"w"],[120273,1,"x"],[120274,1,"y"],[120275,1,"z"],[120276,1,"a"],[120277,1,"b"],[120278,1,"c"],[120279,1,"d"],[120280,1,"e"],[120281,1,"f"],[120282,1,"g"],[120283,1,"h"],[120284,1,"i"],[120285,1,"j"],[120286,1,"k"],[120287,1,"l"],[120288,1,"m"],[120289,1,"n"],[120290,1,"o"],[120291,1,"p"],[120292,1,"q"],[120293,1,"r"],[120294,1,"s"],[120295,1,"t"],[120296,1,"u"],[120297,1,"v"],[120298,1,"w"],[120299,1,"x"],[120300,1,"y"],[120301,1,"z"],[120302,1,"a"],[120303,1,"b"],[120304,1,"c"],[120305,1,"d"],[120306,1,"e"],[120307,1,"f"],[120308,1,"g"],[120309,1,"h"],[120310,1,"i"],[120311,1,"j"],[120312,1,"k"],[120313,1,"l"],[120314,1,"m"],[120315,1,"n"],[120316,1,"o"],[120317,1,"p"],[120318,1,"q"],[120319,1,"r"],[120320,1,"s"],[120321,1,"t"],[120322,1,"u"],[120323,1,"v"],[120324,1,"w"],[120325,1,"x"],[120326,1,"y"],[120327,1,"z"],[120328,1,"a"],[120329,1,"b"],[120330,1,"c"],[120331,1,"d"],[120332,1,"e"],[120333,1,"f"],[120334,1,"g"],[120335,1,"h"],[120336,1,"i"],[120337,1,"j"],[120338,1,"k"],[120339,1,"l"],[120340,1,"m"],[120341,1,"n"],[120342,1,"o"],[120343,1,"p"],[120344,1,"q"],[120345,1,"r"],[120346,1,"s"],[120347,1,"t"],[120348,1,"u"],[120349,1,"v"],[120350,1,"w"],[120351,1,"x"],[120352,1,"y"],[120353,1,"z"],[120354,1,"a"],[120355,1,"b"],[120356,1,"c"],[120357,1,"d"],[120358,1,"e"],[120359,1,"f"],[120360,1,"g"],[120361,1,"h"],[120362,1,"i"],[120363,1,"j"],[120364,1,"k"],[120365,1,"l"],[120366,1,"m"],[120367,1,"n"],[120368,1,"o"],[120369,1,"p"],[120370,1,"q"],[120371,1,"r"],[120372,1,"s"],[120373,1,"t"],[120374,1,"u"],[120375,1,"v"],[120376,1,"w"],[120377,1,"x"],[120378,1,"y"],[120379,1,"z"],[120380,1,"a"],[120381,1,"b"],[120382,1,"c"],[120383,1,"d"],[120384,1,"e"],[120385,1,"f"],[120386,1,"g"],[120387,1,"h"],[120388,1,"i"],[120389,1,"j"],[120390,1,"k"],[120391,1,"l"],[120392,1,"m"],[120393,1,"n"],[120394,1,"o"],[120395,1,"p"],[120396,1,"q"],[120397,1,"r"],[120398,1,"s"],[120399,1,"t"],[120400,1,"u"],[120401,1,"v"],[120402,1,"w"],[120403,1,"x"],[120404,1,"y"],[120405,1,"z"],[120406,1,"a"],[120407,1,"b"],[120408,1,"c"],[120409,1,"d"],[120410,1,"e"],[120411,1,"f"],[120412,1,"g"],[120413,1,"h"],[120414,1,"i"],[120415,1,"j"],[120416,1,"k"],[120417,1,"l"],[120418,1,"m"],[120419,1,"n"],[120420,1,"o"],[120421,1,"p"],[120422,1,"q"],[120423,1,"r"],[120424,1,"s"],[120425,1,"t"],[120426,1,"u"],[120427,1,"v"],[120428,1,"w"],[120429,1,"x"],[120430,1,"y"],[120431,1,"z"],[120432,1,"a"],[120433,1,"b"],[120434,1,"c"],[120435,1,"d"],[120436,1,"e"],[120437,1,"f"],[120438,1,"g"],[120439,1,"h"],[120440,1,"i"],[120441,1,"j"],[120442,1,"k"],[120443,1,"l"],[120444,1,"m"],[120445,1,"n"],[120446,1,"o"],[120447,1,"p"],[120448,1,"q"],[120449,1,"r"],[120450,1,"s"],[120451,1,"t"],[120452,1,"u"],[120453,1,"v"],[120454,1,"w"],[120455,1,"x"],[120456,1,"y"],[120457,1,"z"],[120458,1,"a"],[120459,1,"b"],[120460,1,"c"],[120461,1,"d"],[120462,1,"e"],[120463,1,"f"],[120464,1,"g"],[120465,1,"h"],[120466,1,"i"],[120467,1,"j"],[120468,1,"k"],[120469,1,"l"],[120470,1,"m"],[120471,1,"n"],[120472,1,"o"],[120473,1,"p"],[120474,1,"q"],[120475,1,"r"],[120476,1,"s"],[120477,1,"t"],[120478,1,"u"],[120479,1,"v"],[120480,1,"w"],[120481,1,"x"],[120482,1,"y"],[120483,1,"z"],[120484,1,"ı"],[120485,1,"ȷ"],[[120486,120487],3],[120488,1,"α"],[120489,1,"β"],[120490,1,"γ"],[120491,1,"δ"],[120492,1,"ε"],[120493,1,"ζ"],[120494,1,"η"],[120495,1,"θ"],[120496,1,"ι"],[120497,1,"κ"],[120498,1,"λ"],[120499,1,"μ"],[120500,1,"ν"],[120501,1,"ξ"],[120502,1,"ο"],[120503,1,"π"],[120504,1,"ρ"],[120505,1,"θ"],[120506,1,"σ"],[120507,1,"τ"],[120508,1,"υ"],[120509,1,"φ"],[120510,1,"χ"],[120511,1,"ψ"],[120512,1,"ω"],[120513,1,"∇"],[120514,1,"α"],[120515,1,"β"],[120516,1,"γ"],[120517,1,"δ"],[120518,1,"ε"],[120519,1,"ζ"],[120520,1,"η"],[120521,1,"θ"],[120522,1,"ι"],[120523,1,"κ"],[120524,1,"λ"],[120525,1,"μ"],[120526,1,"ν"],[120527,1,"ξ"],[120528,1,"ο"],[120529,1,"π"],[120530,1,"ρ"],[[120531,120532],1,"σ"],[120533,1,"τ"],[120534,1,"υ"],[120535,1,"φ"],[120536,1,"χ"],[120537,1,"ψ"],[120538,1,"ω"],[120539,1,"∂"],[120540,1,"ε"],[120541,1,"θ"],[120542,1,"κ"],[120543,1,"φ"],[120544,1,"ρ"],[120545,1,"π"],[120546,1,"α"],[120547,1,"β"],[120548,1,"γ"],[120549,1,"δ"],[120550,1,"ε"],[120551,1,"ζ"],[120552,1,"η"],[120553,1,"θ"],[120554,1,"ι"],[120555,1,"κ"],[120556,1,"λ"],[120557,1,"μ"],[120558,1,"ν"],[120559,1,"ξ"],[120560,1,"ο"],[120561,1,"π"],[120562,1,"ρ"],[120563,1,"θ"],[120564,1,"σ"],[120565,1,"τ"],[120566,1,"υ"],[120567,1,"φ"],[120568,1,"χ"],[120569,1,"ψ"],[120570,1,"ω"],[120571,1,"∇"],[120572,1,"α"],[120573,1,"β"],[120574,1,"γ"],[120575,1,"δ"],[120576,1,"ε"],[120577,1,"ζ"],[120578,1,"η"],[120579,1,"θ"],[120580,1,"ι"],[120581,1,"κ"],[120582,1,"λ"],[120583,1,"μ"],[120584,1,"ν"],[120585,1,"ξ"],[120586,1,"ο"],[120587,1,"π"],[120588,1,"ρ"],[[120589,120590],1,"σ"],[120591,1,"τ"],[120592,1,"υ"],[120593,1,"φ"],[120594,1,"χ"],[120595,1,"ψ"],[120596,1,"ω"],[120597,1,"∂"],[120598,1,"ε"],[120599,1,"θ"],[120600,1,"κ"],[120601,1,"φ"],[120602,1,"ρ"],[120603,1,"π"],[120604,1,"α"],[120605,1,"β"],[120606,1,"γ"],[120607,1,"δ"],[120608,1,"ε"],[120609,1,"ζ"],[120610,1,"η"],[120611,1,"θ"],[120612,1,"ι"],[120613,1,"κ"],[120614,1,"λ"],[120615,1,"μ"],[120616,1,"ν"],[120617,1,"ξ"],[120618,1,"ο"],[120619,1,"π"],[120620,1,"ρ"],[120621,1,"θ"],[120622,1,"σ"],[120623,1,"τ"],[120624,1,"υ"],[120625,1,"φ"],[120626,1,"χ"],[120627,1,"ψ"],[120628,1,"ω"],[120629,1,"∇"],[120630,1,"α"],[120631,1,"β"],[120632,1,"γ"],[120633,1,"δ"],[120634,1,"ε"],[120635,1,"ζ"],[120636,1,"η"],[120637,1,"θ"],[120638,1,"ι"],[120639,1,"κ"],[120640,1,"λ"],[120641,1,"μ"],[120642,1,"ν"],[120643,1,"ξ"],[120644,1,"ο"],[120645,1,"π"],[120646,1,"ρ"],[[120647,120648],1,"σ"],[120649,1,"τ"],[120650,1,"υ"],[120651,1,"φ"],[120652,1,"χ"],[120653,1,"ψ"],[120654,1,"ω"],[120655,1,"∂"],[120656,1,"ε"],[120657,1,"θ"],[120658,1,"κ"],[120659,1,"φ"],[120660,1,"ρ"],[120661,1,"π"],[120662,1,"α"],[120663,1,"β"],[120664,1,"γ"],[120665,1,"δ"],[120666,1,"ε"],[120667,1,"ζ"],[120668,1,"η"],[120669,1,"θ"],[120670,1,"ι"],[120671,1,"κ"],[120672,1,"λ"],[120673,1,"μ"],[120674,1,"ν"],[120675,1,"ξ"],[120676,1,"ο"],[120677,1,"π"],[120678,1,"ρ"],[120679,1,"θ"],[120680,1,"σ"],[120681,1,"τ"],[120682,1,"υ"],[120683,1,"φ"],[120684,1,"χ"],[120685,1,"ψ"],[120686,1,"ω"],[120687,1,"∇"],[120688,1,"α"],[120689,1,"β"],[120690,1,"γ"],[120691,1,"δ"],[120692,1,"ε"],[120693,1,"ζ"],[120694,1,"η"],[120695,1,"θ"],[120696,1,"ι"],[120697,1,"κ"],[120698,1,"λ"],[120699,1,"μ"],[120700,1,"ν"],[120701,1,"ξ"],[120702,1,"ο"],[120703,1,"π"],[120704,1,"ρ"],[[120705,120706],1,"σ"],[120707,1,"τ"],[120708,1,"υ"],[120709,1,"φ"],[120710,1,"χ"],[120711,1,"ψ"],[120712,1,"ω"],[120713,1,"∂"],[120714,1,"ε"],[120715,1,"θ"],[120716,1,"κ"],[120717,1,"φ"],[120718,1,"ρ"],[120719,1,"π"],[120720,1,"α"],[120721,1,"β"],[120722,1,"γ"],[120723,1,"δ"],[120724,1,"ε"],[120725,1,"ζ"],[120726,1,"η"],[120727,1,"θ"],[120728,1,"ι"],[120729,1,"κ"],[120730,1,"λ"],[120731,1,"μ"],[120732,1,"ν"],[120733,1,"ξ"],[120734,1,"ο"],[120735,1,"π"],[120736,1,"ρ"],[120737,1,"θ"],[120738,1,"σ"],[120739,1,"τ"],[120740,1,"υ"],[120741,1,"φ"],[120742,1,"χ"],[120743,1,"ψ"],[120744,1,"ω"],[120745,1,"∇"],[120746,1,"α"],[120747,1,"β"],[120748,1,"γ"],[120749,1,"δ"],[120750,1,"ε"],[120751,1,"ζ"],[120752,1,"η"],[120753,1,"θ"],[120754,1,"ι"],[120755,1,"κ"],[120756,1,"λ"],[120757,1,"μ"],[120758,1,"ν"],[120759,1,"ξ"],[120760,1,"ο"],[120761,1,"π"],[120762,1,"ρ"],[[120763,120764],1,"σ"],[120765,1,"τ"],[120766,1,"υ"],[120767,1,"φ"],[120768,1,"χ"],[120769,1,"ψ"],[120770,1,"ω"],[120771,1,"∂"],[120772,1,"ε"],[120773,1,"θ"],[120774,1,"κ"],[120775,1,"φ"],[120776,1,"ρ"],[120777,1,"π"],[[120778,120779],1,"ϝ"],[[120780,120781],3],[120782,1,"0"],[120783,1,"1"],[120784,1,"2"],[120785,1,"3"],[120786,1,"4"],[120787,1,"5"],[120788,1,"6"],[120789,1,"7"],[120790,1,"8"],[120791,1,"9"],[120792,1,"0"],[120793,1,"1"],[120794,1,"2"],[120795,1,"3"],[120796,1,"4"],[120797,1,"5"],[120798,1,"6"],[120799,1,"7"],[120800,1,"8"],[120801,1,"9"],[120802,1,"0"],[120803,1,"1"],[120804,1,"2"],[120805,1,"3"],[120806,1,"4"],[120807,1,"5"],[120808,1,"6"],[120809,1,"7"],[120810,1,"8"],[120811,1,"9"],[120812,1,"0"],[120813,1,"1"],[120814,1,"2"],[120815,1,"3"],[120816,1,"4"],[120817,1,"5"],[120818,1,"6"],[120819,1,"7"],[120820,1,"8"],[120821,1,"9"],[120822,1,"0"],[120823,1,"1"],[120824,1,"2"],[120825,1,"3"],[120826,1,"4"],[120827,1,"5"],[120828,1,"6"],[120829,1,"7"],[120830,1,"8"],[120831,1,"9"],[[120832,121343],2],[[121344,121398],2],[[121399,121402],2],[[121403,121452],2],[[121453,121460],2],[121461,2],[[121462,121475],2],[121476,2],[[121477,121483],2],[[121484,121498],3],[[121499,121503],2],[121504,3],[[121505,121519],2],[[121520,122623],3],[[122624,122654],2],[[122655,122660],3],[[122661,122666],2],[[122667,122879],3],[[122880,122886],2],[122887,3],[[122888,122904],2],[[122905,122906],3],[[122907,122913],2],[122914,3],[[122915,122916],2],[122917,3],[[122918,122922],2],[[122923,122927],3],[122928,1,"а"],[122929,1,"б"],[122930,1,"в"],[122931,1,"г"],[122932,1,"д"],[122933,1,"е"],[122934,1,"ж"],[122935,1,"з"],[122936,1,"и"],[122937,1,"к"],[122938,1,"л"],[122939,1,"м"],[122940,1,"о"],[122941,1,"п"],[122942,1,"р"],[122943,1,"с"],[122944,1,"т"],[122945,1,"у"],[122946,1,"ф"],[122947,1,"х"],[122948,1,"ц"],[122949,1,"ч"],[122950,1,"ш"],[122951,1,"ы"],[122952,1,"э"],[122953,1,"ю"],[122954,1,"ꚉ"],[122955,1,"ә"],[122956,1,"і"],[122957,1,"ј"],[122958,1,"ө"],[122959,1,"ү"],[122960,1,"ӏ"],[122961,1,"а"],[122962,1,"б"],[122963,1,"в"],[122964,1,"г"],[122965,1,"д"],[122966,1,"е"],[122967,1,"ж"],[122968,1,"з"],[122969,1,"и"],[122970,1,"к"],[122971,1,"л"],[122972,1,"о"],[122973,1,"п"],[122974,1,"с"],[122975,1,"у"],[122976,1,"ф"],[122977,1,"х"],[122978,1,"ц"],[122979,1,"ч"],[122980,1,"ш"],[122981,1,"ъ"],[122982,1,"ы"],[122983,1,"ґ"],[122984,1,"і"],[122985,1,"ѕ"],[122986,1,"џ"],[122987,1,"ҫ"],[122988,1,"ꙑ"],[122989,1,"ұ"],[[122990,123022],3],[123023,2],[[123024,123135],3],[[123136,123180],2],[[123181,123183],3],[[123184,123197],2],[[123198,123199],3],[[123200,123209],2],[[123210,123213],3],[123214,2],[123215,2],[[123216,123535],3],[[123536,123566],2],[[123567,123583],3],[[123584,123641],2],[[123642,123646],3],[123647,2],[[123648,124111],3],[[124112,124153],2],[[124154,124367],3],[[124368,124410],2],[[124411,124414],3],[124415,2],[[124416,124607],3],[[124608,124638],2],[124639,3],[[124640,124661],2],[[124662,124669],3],[[124670,124671],2],[[124672,124895],3],[[124896,124902],2],[124903,3],[[124904,124907],2],[124908,3],[[124909,124910],2],[124911,3],[[124912,124926],2],[124927,3],[[124928,125124],2],[[125125,125126],3],[[125127,125135],2],[[125136,125142],2],[[125143,125183],3],[125184,1,"𞤢"],[125185,1,"𞤣"],[125186,1,"𞤤"],[125187,1,"𞤥"],[125188,1,"𞤦"],[125189,1,"𞤧"],[125190,1,"𞤨"],[125191,1,"𞤩"],[125192,1,"𞤪"],[125193,1,"𞤫"],[125194,1,"𞤬"],[125195,1,"𞤭"],[125196,1,"𞤮"],[125197,1,"𞤯"],[125198,1,"𞤰"],[125199,1,"𞤱"],[125200,1,"𞤲"],[125201,1,"𞤳"],[125202,1,"𞤴"],[125203,1,"𞤵"],[125204,1,"𞤶"],[125205,1,"𞤷"],[125206,1,"𞤸"],[125207,1,"𞤹"],[125208,1,"𞤺"],[125209,1,"𞤻"],[125210,1,"𞤼"],[125211,1,"𞤽"],[125212,1,"𞤾"],[125213,1,"𞤿"],[125214,1,"𞥀"],[125215,1,"𞥁"],[125216,1,"𞥂"],[125217,1,"𞥃"],[[125218,125258],2],[125259,2],[[125260,125263],3],[[125264,125273],2],[[125274,125277],3],[[125278,125279],2],[[125280,126064],3],[[126065,126132],2],[[126133,126208],3],[[126209,126269],2],[[126270,126463],3],[126464,1,"ا"],[126465,1,"ب"],[126466,1,"ج"],[126467,1,"د"],[126468,3],[126469,1,"و"],[126470,1,"ز"],[126471,1,"ح"],[126472,1,"ط"],[126473,1,"ي"],[126474,1,"ك"],[126475,1,"ل"],[126476,1,"م"],[126477,1,"ن"],[126478,1,"س"],[126479,1,"ع"],[126480,1,"ف"],[126481,1,"ص"],[126482,1,"ق"],[126483,1,"ر"],[126484,1,"ش"],[126485,1,"ت"],[126486,1,"ث"],[126487,1,"خ"],[126488,1,"ذ"],[126489,1,"ض"],[126490,1,"ظ"],[126491,1,"غ"],[126492,1,"ٮ"],[126493,1,"ں"],[126494,1,"ڡ"],[126495,1,"ٯ"],[126496,3],[126497,1,"ب"],[126498,1,"ج"],[126499,3],[126500,1,"ه"],[[126501,126502],3],[126503,1,"ح"],[126504,3],[126505,1,"ي"],[126506,1,"ك"],[126507,1,"ل"],[126508,1,"م"],[126509,1,"ن"],[126510,1,"س"],[126511,1,"ع"],[126512,1,"ف"],[126513,1,"ص"],[126514,1,"ق"],[126515,3],[126516,1,"ش"],[126517,1,"ت"],[126518,1,"ث"],[126519,1,"خ"],[126520,3],[126521,1,"ض"],[126522,3],[126523,1,"غ"],[[126524,126529],3],[126530,1,"ج"],[[126531,126534],3],[126535,1,"ح"],[126536,3],[126537,1,"ي"],[126538,3],[126539,1,"ل"],[126540,3],[126541,1,"ن"],[126542,1,"س"],[126543,1,"ع"],[126544,3],[126545,1,"ص"],[126546,1,"ق"],[126547,3],[126548,1,"ش"],[[126549,126550],3],[126551,1,"خ"],[126552,3],[126553,1,"ض"],[126554,3],[126555,1,"غ"],[126556,3],[126557,1,"ں"],[126558,3],[126559,1,"ٯ"],[126560,3],[126561,1,"ب"],[126562,1,"ج"],[126563,3],[126564,1,"ه"],[[126565,126566],3],[126567,1,"ح"],[126568,1,"ط"],[126569,1,"ي"],[126570,1,"ك"],[126571,3],[126572,1,"م"],[126573,1,"ن"],[126574,1,"س"],[126575,1,"ع"],[126576,1,"ف"],[126577,1,"ص"],[126578,1,"ق"],[126579,3],[126580,1,"ش"],[126581,1,"ت"],[126582,1,"ث"],[126583,1,"خ"],[126584,3],[126585,1,"ض"],[126586,1,"ظ"],[126587,1,"غ"],[126588,1,"ٮ"],[126589,3],[126590,1,"ڡ"],[126591,3],[126592,1,"ا"],[126593,1,"ب"],[126594,1,"ج"],[126595,1,"د"],[126596,1,"ه"],[126597,1,"و"],[126598,1,"ز"],[126599,1,"ح"],[126600,1,"ط"],[126601,1,"ي"],[126602,3],[126603,1,"ل"],[126604,1,"م"],[126605,1,"ن"],[126606,1,"س"],[126607,1,"ع"],[126608,1,"ف"],[126609,1,"ص"],[126610,1,"ق"],[126611,1,"ر"],[126612,1,"ش"],[126613,1,"ت"],[126614,1,"ث"],[126615,1,"خ"],[126616,1,"ذ"],[126617,1,"ض"],[126618,1,"ظ"],[126619,1,"غ"],[[126620,126624],3],[126625,1,"ب"],[126626,1,"ج"],[126627,1,"د"],[126628,3],[126629,1,"و"],[126630,1,"ز"],[126631,1,"ح"],[126632,1,"ط"],[126633,1,"ي"],[126634,3],[126635,1,"ل"],[126636,1,"م"],[126637,1,"ن"],[126638,1,"س"],[126639,1,"ع"],[126640,1,"ف"],[126641,1,"ص"],[126642,1,"ق"],[126643,1,"ر"],[126644,1,"ش"],[126645,1,"ت"],[126646,1,"ث"],[126647,1,"خ"],[126648,1,"ذ"],[126649,1,"ض"],[126650,1,"ظ"],[126651,1,"غ"],[[126652,126703],3],[[126704,126705],2],[[126706,126975],3],[[126976,127019],2],[[127020,127023],3],[[127024,127123],2],[[127124,127135],3],[[127136,127150],2],[[127151,127152],3],[[127153,127166],2],[127167,2],[127168,3],[[127169,127183],2],[127184,3],[[127185,127199],2],[[127200,127221],2],[[127222,127231],3],[127232,3],[127233,1,"0,"],[127234,1,"1,"],[127235,1,"2,"],[127236,1,"3,"],[127237,1,"4,"],[127238,1,"5,"],[127239,1,"6,"],[127240,1,"7,"],[127241,1,"8,"],[127242,1,"9,"],[[127243,127244],2],[[127245,127247],2],[127248,1,"(a)"],[127249,1,"(b)"],[127250,1,"(c)"],[127251,1,"(d)"],[127252,1,"(e)"],[127253,1,"(f)"],[127254,1,"(g)"],[127255,1,"(h)"],[127256,1,"(i)"],[127257,1,"(j)"],[127258,1,"(k)"],[127259,1,"(l)"],[127260,1,"(m)"],[127261,1,"(n)"],[127262,1,"(o)"],[127263,1,"(p)"],[127264,1,"(q)"],[127265,1,"(r)"],[127266,1,"(s)"],[127267,1,"(t)"],[127268,1,"(u)"],[127269,1,"(v)"],[127270,1,"(w)"],[127271,1,"(x)"],[127272,1,"(y)"],[127273,1,"(z)"],[127274,1,"〔s〕"],[127275,1,"c"],[127276,1,"r"],[127277,1,"cd"],[127278,1,"wz"],[127279,2],[127280,1,"a"],[127281,1,"b"],[127282,1,"c"],[127283,1,"d"],[127284,1,"e"],[127285,1,"f"],[127286,1,"g"],[127287,1,"h"],[127288,1,"i"],[127289,1,"j"],[127290,1,"k"],[127291,1,"l"],[127292,1,"m"],[127293,1,"n"],[127294,1,"o"],[127295,1,"p"],[127296,1,"q"],[127297,1,"r"],[127298,1,"s"],[127299,1,"t"],[127300,1,"u"],[127301,1,"v"],[127302,1,"w"],[127303,1,"x"],[127304,1,"y"],[127305,1,"z"],[127306,1,"hv"],[127307,1,"mv"],[127308,1,"sd"],[127309,1,"ss"],[127310,1,"ppv"],[127311,1,"wc"],[[127312,127318],2],[127319,2],[[127320,127326],2],[127327,2],[[127328,127337],2],[127338,1,"mc"],[127339,1,"md"],[127340,1,"mr"],[[127341,127343],2],[[127344,127352],2],[127353,2],[127354,2],[[127355,127356],2],[[127357,127358],2],[127359,2],[[127360,127369],2],[[127370,127373],2],[[127374,127375],2],[127376,1,"dj"],[[127377,127386],2],[[127387,127404],2],[127405,2],[[127406,127461],3],[[127462,127487],2],[127488,1,"ほか"],[127489,1,"ココ"],[127490,1,"サ"],[[127491,127503],3],[127504,1,"手"],[127505,1,"字"],[127506,1,"双"],[127507,1,"デ"],[127508,1,"二"],[127509,1,"多"],[127510,1,"解"],[127511,1,"天"],[127512,1,"交"],[127513,1,"映"],[127514,1,"無"],[127515,1,"料"],[127516,1,"前"],[127517,1,"後"],[127518,1,"再"],[127519,1,"新"],[127520,1,"初"],[127521,1,"終"],[127522,1,"生"],[127523,1,"販"],[127524,1,"声"],[127525,1,"吹"],[127526,1,"演"],[127527,1,"投"],[127528,1,"捕"],[127529,1,"一"],[127530,1,"三"],[127531,1,"遊"],[127532,1,"左"],[127533,1,"中"],[127534,1,"右"],[127535,1,"指"],[127536,1,"走"],[127537,1,"打"],[127538,1,"禁"],[127539,1,"空"],[127540,1,"合"],[127541,1,"満"],[127542,1,"有"],[127543,1,"月"],[127544,1,"申"],[127545,1,"割"],[127546,1,"営"],[127547,1,"配"],[[127548,127551],3],[127552,1,"〔本〕"],[127553,1,"〔三〕"],[127554,1,"〔二〕"],[127555,1,"〔安〕"],[127556,1,"〔点〕"],[127557,1,"〔打〕"],[127558,1,"〔盗〕"],[127559,1,"〔勝〕"],[127560,1,"〔敗〕"],[[127561,127567],3],[127568,1,"得"],[127569,1,"可"],[[127570,127583],3],[[127584,127589],2],[[127590,127743],3],[[127744,127776],2],[[127777,127788],2],[[127789,127791],2],[[127792,127797],2],[127798,2],[[127799,127868],2],[127869,2],[[127870,127871],2],[[127872,127891],2],[[127892,127903],2],[[127904,127940],2],[127941,2],[[127942,127946],2],[[127947,127950],2],[[127951,127955],2],[[127956,127967],2],[[127968,127984],2],[[127985,127991],2],[[127992,127999],2],[[128000,128062],2],[128063,2],[128064,2],[128065,2],[[128066,128247],2],[128248,2],[[128249,128252],2],[[128253,128254],2],[128255,2],[[128256,128317],2],[[128318,128319],2],[[128320,128323],2],[[128324,128330],2],[[128331,128335],2],[[128336,128359],2],[[128360,128377],2],[128378,2],[[128379,128419],2],[128420,2],[[128421,128506],2],[[128507,128511],2],[128512,2],[[128513,128528],2],[128529,2],[[128530,128532],2],[128533,2],[128534,2],[128535,2],[128536,2],[128537,2],[128538,2],[128539,2],[[128540,128542],2],[128543,2],[[128544,128549],2],[[128550,128551],2],[[128552,128555],2],[128556,2],[128557,2],[[128558,128559],2],[[128560,128563],2],[128564,2],[[128565,128576],2],[[128577,128578],2],[[128579,128580],2],[[128581,128591],2],[[128592,128639],2],[[128640,128709],2],[[128710,128719],2],[128720,2],[[128721,128722],2],[[128723,128724],2],[128725,2],[[128726,128727],2],[128728,2],[[128729,128731],3],[128732,2],[[128733,128735],2],[[128736,128748],2],[[128749,128751],3],[[128752,128755],2],[[128756,128758],2],[[128759,128760],2],[128761,2],[128762,2],[[128763,128764],2],[[128765,128767],3],[[128768,128883],2],[[128884,128886],2],[[128887,128890],2],[[128891,128895],2],[[128896,128980],2],[[128981,128984],2],[128985,2],[[128986,128991],3],[[128992,129003],2],[[129004,129007],3],[129008,2],[[129009,129023],3],[[129024,129035],2],[[129036,129039],3],[[129040,129095],2],[[129096,129103],3],[[129104,129113],2],[[129114,129119],3],[[129120,129159],2],[[129160,129167],3],[[129168,129197],2],[[129198,129199],3],[[129200,129201],2],[[129202,129211],2],[[129212,129215],3],[[129216,129217],2],[[129218,129231],3],[[129232,129240],2],[[129241,129279],3],[[129280,129291],2],[129292,2],[[129293,129295],2],[[129296,129304],2],[[129305,129310],2],[129311,2],[[129312,129319],2],[[129320,129327],2],[129328,2],[[129329,129330],2],[[129331,129342],2],[129343,2],[[129344,129355],2],[129356,2],[[129357,129359],2],[[129360,129374],2],[[129375,129387],2],[[129388,129392],2],[129393,2],[129394,2],[[129395,129398],2],[[129399,129400],2],[129401,2],[129402,2],[129403,2],[[129404,129407],2],[[129408,129412],2],[[129413,129425],2],[[129426,129431],2],[[129432,129442],2],[[129443,129444],2],[[129445,129450],2],[[129451,129453],2],[[129454,129455],2],[[129456,129465],2],[[129466,129471],2],[129472,2],[[129473,129474],2],[[129475,129482],2],[129483,2],[129484,2],[[129485,129487],2],[[129488,129510],2],[[129511,129535],2],[[129536,129619],2],[[129620,129623],2],[[129624,129631],3],[[129632,129645],2],[[129646,129647],3],[[129648,129651],2],[129652,2],[[129653,129655],2],[[129656,129658],2],[[129659,129660],2],[[129661,129663],3],[[129664,129666],2],[[129667,129670],2],[[129671,129672],2],[129673,2],[129674,2],[[129675,129677],3],[129678,2],[129679,2],[[129680,129685],2],[[129686,129704],2],[[129705,129708],2],[[129709,129711],2],[[129712,129718],2],[[129719,129722],2],[[129723,129725],2],[129726,2],[129727,2],[[129728,129730],2],[[129731,129733],2],[129734,2],[129735,3],[129736,2],[[129737,129740],3],[129741,2],[[129742,129743],2],[[129744,129750],2],[[129751,129753],2],[[129754,129755],2],[129756,2],[[129757,129758],3],[129759,2],[[129760,129767],2],[129768,2],[129769,2],[129770,2],[[129771,129774],3],[129775,2],[[129776,129782],2],[[129783,129784],2],[[129785,129791],3],[[129792,129938],2],[129939,3],[[129940,129994],2],[[129995,130031],2],[130032,1,"0"],[130033,1,"1"],[130034,1,"2"],[130035,1,"3"],[130036,1,"4"],[130037,1,"5"],[130038,1,"6"],[130039,1,"7"],[130040,1,"8"],[130041,1,"9"],[130042,2],[[130043,131069],3],[[131070,131071],3],[[131072,173782],2],[[173783,173789],2],[[173790,173791],2],[[173792,173823],3],[[173824,177972],2],[[177973,177976],2],[177977,2],[[177978,177983],2],[[177984,178205],2],[[178206,178207],3],[[178208,183969],2],[[183970,183981],2],[[183982,183983],3],[[183984,191456],2],[[191457,191471],3],[[191472,192093],2],[[192094,194559],3],[194560,1,"丽"],[194561,1,"丸"],[194562,1,"乁"],[194563,1,"𠄢"],[194564,1,"你"],[194565,1,"侮"],[194566,1,"侻"],[194567,1,"倂"],[194568,1,"偺"],[194569,1,"備"],[194570,1,"僧"],[194571,1,"像"],[194572,1,"㒞"],[194573,1,"𠘺"],[194574,1,"免"],[194575,1,"兔"],[194576,1,"兤"],[194577,1,"具"],[194578,1,"𠔜"],[194579,1,"㒹"],[194580,1,"內"],[194581,1,"再"],[194582,1,"𠕋"],[194583,1,"冗"],[194584,1,"冤"],[194585,1,"仌"],[194586,1,"冬"],[194587,1,"况"],[194588,1,"𩇟"],[194589,1,"凵"],[194590,1,"刃"],[194591,1,"㓟"],[194592,1,"刻"],[194593,1,"剆"],[194594,1,"割"],[194595,1,"剷"],[194596,1,"㔕"],[194597,1,"勇"],[194598,1,"勉"],[194599,1,"勤"],[194600,1,"勺"],[194601,1,"包"],[194602,1,"匆"],[194603,1,"北"],[194604,1,"卉"],[194605,1,"卑"],[194606,1,"博"],[194607,1,"即"],[194608,1,"卽"],[[194609,194611],1,"卿"],[194612,1,"𠨬"],[194613,1,"灰"],[194614,1,"及"],[194615,1,"叟"],[194616,1,"𠭣"],[194617,1,"叫"],[194618,1,"叱"],[194619,1,"吆"],[194620,1,"咞"],[194621,1,"吸"],[194622,1,"呈"],[194623,1,"周"],[194624,1,"咢"],[194625,1,"哶"],[194626,1,"唐"],[194627,1,"啓"],[194628,1,"啣"],[[194629,194630],1,"善"],[194631,1,"喙"],[194632,1,"喫"],[194633,1,"喳"],[194634,1,"嗂"],[194635,1,"圖"],[194636,1,"嘆"],[194637,1,"圗"],[194638,1,"噑"],[194639,1,"噴"],[194640,1,"切"],[194641,1,"壮"],[194642,1,"城"],[194643,1,"埴"],[194644,1,"堍"],[194645,1,"型"],[194646,1,"堲"],[194647,1,"報"],[194648,1,"墬"],[194649,1,"𡓤"],[194650,1,"売"],[194651,1,"壷"],[194652,1,"夆"],[194653,1,"多"],[194654,1,"夢"],[194655,1,"奢"],[194656,1,"𡚨"],[194657,1,"𡛪"],[194658,1,"姬"],[194659,1,"娛"],[194660,1,"娧"],[194661,1,"姘"],[194662,1,"婦"],[194663,1,"㛮"],[194664,1,"㛼"],[194665,1,"嬈"],[[194666,194667],1,"嬾"],[194668,1,"𡧈"],[194669,1,"寃"],[194670,1,"寘"],[194671,1,"寧"],[194672,1,"寳"],[194673,1,"𡬘"],[194674,1,"寿"],[194675,1,"将"],[194676,1,"当"],[194677,1,"尢"],[194678,1,"㞁"],[194679,1,"屠"],[194680,1,"屮"],[194681,1,"峀"],[194682,1,"岍"],[194683,1,"𡷤"],[194684,1,"嵃"],[194685,1,"𡷦"],[194686,1,"嵮"],[194687,1,"嵫"],[194688,1,"嵼"],[194689,1,"巡"],[194690,1,"巢"],[194691,1,"㠯"],[194692,1,"巽"],[194693,1,"帨"],[194694,1,"帽"],[194695,1,"幩"],[194696,1,"㡢"],[194697,1,"𢆃"],[194698,1,"㡼"],[194699,1,"庰"],[194700,1,"庳"],[194701,1,"庶"],[194702,1,"廊"],[194703,1,"𪎒"],[194704,1,"廾"],[[194705,194706],1,"𢌱"],[194707,1,"舁"],[[194708,194709],1,"弢"],[194710,1,"㣇"],[194711,1,"𣊸"],[194712,1,"𦇚"],[194713,1,"形"],[194714,1,"彫"],[194715,1,"㣣"],[194716,1,"徚"],[194717,1,"忍"],[194718,1,"志"],[194719,1,"忹"],[194720,1,"悁"],[194721,1,"㤺"],[194722,1,"㤜"],[194723,1,"悔"],[194724,1,"𢛔"],[194725,1,"惇"],[194726,1,"慈"],[194727,1,"慌"],[194728,1,"慎"],[194729,1,"慌"],[194730,1,"慺"],[194731,1,"憎"],[194732,1,"憲"],[194733,1,"憤"],[194734,1,"憯"],[194735,1,"懞"],[194736,1,"懲"],[194737,1,"懶"],[194738,1,"成"],[194739,1,"戛"],[194740,1,"扝"],[194741,1,"抱"],[194742,1,"拔"],[194743,1,"捐"],[194744,1,"𢬌"],[194745,1,"挽"],[194746,1,"拼"],[194747,1,"捨"],[194748,1,"掃"],[194749,1,"揤"],[194750,1,"𢯱"],[194751,1,"搢"],[194752,1,"揅"],[194753,1,"掩"],[194754,1,"㨮"],[194755,1,"摩"],[194756,1,"摾"],[194757,1,"撝"],[194758,1,"摷"],[194759,1,"㩬"],[194760,1,"敏"],[194761,1,"敬"],[194762,1,"𣀊"],[194763,1,"旣"],[194764,1,"書"],[194765,1,"晉"],[194766,1,"㬙"],[194767,1,"暑"],[194768,1,"㬈"],[194769,1,"㫤"],[194770,1,"冒"],[194771,1,"冕"],[194772,1,"最"],[194773,1,"暜"],[194774,1,"肭"],[194775,1,"䏙"],[194776,1,"朗"],[194777,1,"望"],[194778,1,"朡"],[194779,1,"杞"],[194780,1,"杓"],[194781,1,"𣏃"],[194782,1,"㭉"],[194783,1,"柺"],[194784,1,"枅"],[194785,1,"桒"],[194786,1,"梅"],[194787,1,"𣑭"],[194788,1,"梎"],[194789,1,"栟"],[194790,1,"椔"],[194791,1,"㮝"],[194792,1,"楂"],[194793,1,"榣"],[194794,1,"槪"],[194795,1,"檨"],[194796,1,"𣚣"],[194797,1,"櫛"],[194798,1,"㰘"],[194799,1,"次"],[194800,1,"𣢧"],[194801,1,"歔"],[194802,1,"㱎"],[194803,1,"歲"],[194804,1,"殟"],[194805,1,"殺"],[194806,1,"殻"],[194807,1,"𣪍"],[194808,1,"𡴋"],[194809,1,"𣫺"],[194810,1,"汎"],[194811,1,"𣲼"],[194812,1,"沿"],[194813,1,"泍"],[194814,1,"汧"],[194815,1,"洖"],[194816,1,"派"],[194817,1,"海"],[194818,1,"流"],[194819,1,"浩"],[194820,1,"浸"],[194821,1,"涅"],[194822,1,"𣴞"],[194823,1,"洴"],[194824,1,"港"],[194825,1,"湮"],[194826,1,"㴳"],[194827,1,"滋"],[194828,1,"滇"],[194829,1,"𣻑"],[194830,1,"淹"],[194831,1,"潮"],[194832,1,"𣽞"],[194833,1,"𣾎"],[194834,1,"濆"],[194835,1,"瀹"],[194836,1,"瀞"],[194837,1,"瀛"],[194838,1,"㶖"],[194839,1,"灊"],[194840,1,"災"],[194841,1,"灷"],[194842,1,"炭"],[194843,1,"𠔥"],[194844,1,"煅"],[194845,1,"𤉣"],[194846,1,"熜"],[194847,1,"𤎫"],[194848,1,"爨"],[194849,1,"爵"],[194850,1,"牐"],[194851,1,"𤘈"],[194852,1,"犀"],[194853,1,"犕"],[194854,1,"𤜵"],[194855,1,"𤠔"],[194856,1,"獺"],[194857,1,"王"],[194858,1,"㺬"],[194859,1,"玥"],[[194860,194861],1,"㺸"],[194862,1,"瑇"],[194863,1,"瑜"],[194864,1,"瑱"],[194865,1,"璅"],[194866,1,"瓊"],[194867,1,"㼛"],[194868,1,"甤"],[194869,1,"𤰶"],[194870,1,"甾"],[194871,1,"𤲒"],[194872,1,"異"],[194873,1,"𢆟"],[194874,1,"瘐"],[194875,1,"𤾡"],[194876,1,"𤾸"],[194877,1,"𥁄"],[194878,1,"㿼"],[194879,1,"䀈"],[194880,1,"直"],[194881,1,"𥃳"],[194882,1,"𥃲"],[194883,1,"𥄙"],[194884,1,"𥄳"],[194885,1,"眞"],[[194886,194887],1,"真"],[194888,1,"睊"],[194889,1,"䀹"],[194890,1,"瞋"],[194891,1,"䁆"],[194892,1,"䂖"],[194893,1,"𥐝"],[194894,1,"硎"],[194895,1,"碌"],[194896,1,"磌"],[194897,1,"䃣"],[194898,1,"𥘦"],[194899,1,"祖"],[194900,1,"𥚚"],[194901,1,"𥛅"],[194902,1,"福"],[194903,1,"秫"],[194904,1,"䄯"],[194905,1,"穀"],[194906,1,"穊"],[194907,1,"穏"],[194908,1,"𥥼"],[[194909,194910],1,"𥪧"],[194911,1,"竮"],[194912,1,"䈂"],[194913,1,"𥮫"],[194914,1,"篆"],[194915,1,"築"],[194916,1,"䈧"],[194917,1,"𥲀"],[194918,1,"糒"],[194919,1,"䊠"],[194920,1,"糨"],[194921,1,"糣"],[194922,1,"紀"],[194923,1,"𥾆"],[194924,1,"絣"],[194925,1,"䌁"],[194926,1,"緇"],[194927,1,"縂"],[194928,1,"繅"],[194929,1,"䌴"],[194930,1,"𦈨"],[194931,1,"𦉇"],[194932,1,"䍙"],[194933,1,"𦋙"],[194934,1,"罺"],[194935,1,"𦌾"],[194936,1,"羕"],[194937,1,"翺"],[194938,1,"者"],[194939,1,"𦓚"],[194940,1,"𦔣"],[194941,1,"聠"],[194942,1,"𦖨"],[194943,1,"聰"],[194944,1,"𣍟"],[194945,1,"䏕"],[194946,1,"育"],[194947,1,"脃"],[194948,1,"䐋"],[194949,1,"脾"],[194950,1,"媵"],[194951,1,"𦞧"],[194952,1,"𦞵"],[194953,1,"𣎓"],[194954,1,"𣎜"],[194955,1,"舁"],[194956,1,"舄"],[194957,1,"辞"],[194958,1,"䑫"],[194959,1,"芑"],[194960,1,"芋"],[194961,1,"芝"],[194962,1,"劳"],[194963,1,"花"],[194964,1,"芳"],[194965,1,"芽"],[194966,1,"苦"],[194967,1,"𦬼"],[194968,1,"若"],[194969,1,"茝"],[194970,1,"荣"],[194971,1,"莭"],[194972,1,"茣"],[194973,1,"莽"],[194974,1,"菧"],[194975,1,"著"],[194976,1,"荓"],[194977,1,"菊"],[194978,1,"菌"],[194979,1,"菜"],[194980,1,"𦰶"],[194981,1,"𦵫"],[194982,1,"𦳕"],[194983,1,"䔫"],[194984,1,"蓱"],[194985,1,"蓳"],[194986,1,"蔖"],[194987,1,"𧏊"],[194988,1,"蕤"],[194989,1,"𦼬"],[194990,1,"䕝"],[194991,1,"䕡"],[194992,1,"𦾱"],[194993,1,"𧃒"],[194994,1,"䕫"],[194995,1,"虐"],[194996,1,"虜"],[194997,1,"虧"],[194998,1,"虩"],[194999,1,"蚩"],[195000,1,"蚈"],[195001,1,"蜎"],[195002,1,"蛢"],[195003,1,"蝹"],[195004,1,"蜨"],[195005,1,"蝫"],[195006,1,"螆"],[195007,1,"䗗"],[195008,1,"蟡"],[195009,1,"蠁"],[195010,1,"䗹"],[195011,1,"衠"],[195012,1,"衣"],[195013,1,"𧙧"],[195014,1,"裗"],[195015,1,"裞"],[195016,1,"䘵"],[195017,1,"裺"],[195018,1,"㒻"],[195019,1,"𧢮"],[195020,1,"𧥦"],[195021,1,"䚾"],[195022,1,"䛇"],[195023,1,"誠"],[195024,1,"諭"],[195025,1,"變"],[195026,1,"豕"],[195027,1,"𧲨"],[195028,1,"貫"],[195029,1,"賁"],[195030,1,"贛"],[195031,1,"起"],[195032,1,"𧼯"],[195033,1,"𠠄"],[195034,1,"跋"],[195035,1,"趼"],[195036,1,"跰"],[195037,1,"𠣞"],[195038,1,"軔"],[195039,1,"輸"],[195040,1,"𨗒"],[195041,1,"𨗭"],[195042,1,"邔"],[195043,1,"郱"],[195044,1,"鄑"],[195045,1,"𨜮"],[195046,1,"鄛"],[195047,1,"鈸"],[195048,1,"鋗"],[195049,1,"鋘"],[195050,1,"鉼"],[195051,1,"鏹"],[195052,1,"鐕"],[195053,1,"𨯺"],[195054,1,"開"],[195055,1,"䦕"],[195056,1,"閷"],[195057,1,"𨵷"],[195058,1,"䧦"],[195059,1,"雃"],[195060,1,"嶲"],[195061,1,"霣"],[195062,1,"𩅅"],[195063,1,"𩈚"],[195064,1,"䩮"],[195065,1,"䩶"],[195066,1,"韠"],[195067,1,"𩐊"],[195068,1,"䪲"],[195069,1,"𩒖"],[[195070,195071],1,"頋"],[195072,1,"頩"],[195073,1,"𩖶"],[195074,1,"飢"],[195075,1,"䬳"],[195076,1,"餩"],[195077,1,"馧"],[195078,1,"駂"],[195079,1,"駾"],[195080,1,"䯎"],[195081,1,"𩬰"],[195082,1,"鬒"],[195083,1,"鱀"],[195084,1,"鳽"],[195085,1,"䳎"],[195086,1,"䳭"],[195087,1,"鵧"],[195088,1,"𪃎"],[195089,1,"䳸"],[195090,1,"𪄅"],[195091,1,"𪈎"],[195092,1,"𪊑"],[195093,1,"麻"],[195094,1,"䵖"],[195095,1,"黹"],[195096,1,"黾"],[195097,1,"鼅"],[195098,1,"鼏"],[195099,1,"鼖"],[195100,1,"鼻"],[195101,1,"𪘀"],[[195102,196605],3],[[196606,196607],3],[[196608,201546],2],[[201547,201551],3],[[201552,205743],2],[[205744,210041],2],[[210042,262141],3],[[262142,262143],3],[[262144,327677],3],[[327678,327679],3],[[327680,393213],3],[[393214,393215],3],[[393216,458749],3],[[458750,458751],3],[[458752,524285],3],[[524286,524287],3],[[524288,589821],3],[[589822,589823],3],[[589824,655357],3],[[655358,655359],3],[[655360,720893],3],[[720894,720895],3],[[720896,786429],3],[[786430,786431],3],[[786432,851965],3],[[851966,851967],3],[[851968,917501],3],[[917502,917503],3],[917504,3],[917505,3],[[917506,917535],3],[[917536,917631],3],[[917632,917759],3],[[917760,917999],7],[[918000,983037],3],[[983038,983039],3],[[983040,1048573],3],[[1048574,1048575],3],[[1048576,1114109],3],[[1114110,1114111],3]]');

/***/ })

/******/ });
/************************************************************************/
/******/ // The module cache
/******/ var __webpack_module_cache__ = {};
/******/ 
/******/ // The require function
/******/ function __nccwpck_require__(moduleId) {
/******/ 	// Check if module is in cache
/******/ 	var cachedModule = __webpack_module_cache__[moduleId];
/******/ 	if (cachedModule !== undefined) {
/******/ 		return cachedModule.exports;
/******/ 	}
/******/ 	// Create a new module (and put it into the cache)
/******/ 	var module = __webpack_module_cache__[moduleId] = {
/******/ 		// no module.id needed
/******/ 		// no module.loaded needed
/******/ 		exports: {}
/******/ 	};
/******/ 
/******/ 	// Execute the module function
/******/ 	var threw = true;
/******/ 	try {
/******/ 		__webpack_modules__[moduleId](module, module.exports, __nccwpck_require__);
/******/ 		threw = false;
/******/ 	} finally {
/******/ 		if(threw) delete __webpack_module_cache__[moduleId];
/******/ 	}
/******/ 
/******/ 	// Return the exports of the module
/******/ 	return module.exports;
/******/ }
/******/ 
/************************************************************************/
/******/ /* webpack/runtime/asset-relocator-loader */
/******/ if (typeof __nccwpck_require__ !== 'undefined') __nccwpck_require__.ab = decodeURIComponent(new URL('.', import.meta.url).pathname).slice(import.meta.url.match(/^file:\/\/\/\w:/) ? 1 : 0, -1) + "/";
/******/ 
/************************************************************************/
var __webpack_exports__ = {};

;// CONCATENATED MODULE: ./build/ts/core/flow/comm.js
const decoder = new TextDecoder();
function decodeComm(bytes) {
    const codes = [];
    for (const byte of bytes) {
        if (byte === 0)
            break;
        if (byte >= 0x80)
            return decodeWide(bytes);
        codes.push(byte);
    }
    return String.fromCharCode.apply(null, codes);
}
function decodeWide(bytes) {
    const end = bytes.indexOf(0);
    return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

;// CONCATENATED MODULE: ./build/ts/core/flow/layout.gen.js
const SIZE = {
    address: 16,
    blocked_event: 64,
    event_extension: 88,
    event: 152,
    rule_key: 28,
    rule_value: 8,
    grant_key: 24,
    grant_value: 16,
    local_key: 20,
    local_value: 8,
    resolver_key: 16,
    process_key: 4,
    process_value: 16,
    daemon_value: 16,
    exe: 16,
    ancestor: 48,
    identity_key: 16,
    identity: 448,
    cgroup_key: 8,
    cgroup_value: 8,
    flow_key: 40,
    flow_value: 32,
    owner_key: 20,
    owner_value: 96,
    traffic_key: 48,
    traffic_value: 8,
    reply_key: 120,
    reply_value: 552,
    config: 136,
    policy_config: 40
};
const OFFSET = {
    address: {
        b: 0
    },
    blocked_event: {
        ip_version: 0,
        allowed: 1,
        ip_proto: 2,
        pad1: 3,
        src_ip: 4,
        dst_ip: 8,
        src_port: 12,
        dst_port: 14,
        src_ip6: 16,
        dst_ip6: 32,
        timestamp: 48,
        pid: 56,
        pad2: 60
    },
    event_extension: {
        version: 0,
        size: 2,
        by: 4,
        layer: 5,
        origin: 6,
        mode: 7,
        rule: 8,
        name: 12,
        uid: 16,
        ifindex: 20,
        ethertype: 24,
        scope: 26,
        count: 28,
        cgroup: 32,
        netns: 40,
        socket: 48,
        comm: 56,
        start_ns: 72,
        execs: 80,
        pad: 84
    },
    event: {
        flow: 0,
        ext: 64
    },
    rule_key: {
        prefixlen: 0,
        scope: 4,
        kind: 8,
        proto: 9,
        port: 10,
        addr: 12
    },
    rule_value: {
        rule: 0,
        verdict: 4,
        prefixlen: 5,
        pad: 6
    },
    grant_key: {
        scope: 0,
        kind: 4,
        proto: 5,
        port: 6,
        addr: 8
    },
    grant_value: {
        expires_ns: 0,
        rule: 8,
        name: 12
    },
    local_key: {
        prefixlen: 0,
        addr: 4
    },
    local_value: {
        prefixlen: 0,
        flags: 4
    },
    resolver_key: {
        addr: 0
    },
    process_key: {
        tgid: 0
    },
    process_value: {
        start_ticks: 0,
        scope: 8,
        origin: 12,
        flags: 13,
        pad: 14
    },
    daemon_value: {
        start_ticks: 0,
        tgid: 8,
        pad: 12
    },
    exe: {
        ino: 0,
        dev: 8,
        flags: 12
    },
    ancestor: {
        start_ns: 0,
        exe: 8,
        pid: 24,
        pad: 28,
        comm: 32
    },
    identity_key: {
        start_ns: 0,
        pid: 8,
        execs: 12
    },
    identity: {
        start_ns: 0,
        execs: 8,
        depth: 12,
        seen: 13,
        pad: 14,
        exe: 16,
        file: 32,
        ancestors: 64
    },
    cgroup_key: {
        id: 0
    },
    cgroup_value: {
        scope: 0,
        pad: 4
    },
    flow_key: {
        src: 0,
        dst: 16,
        sport: 32,
        dport: 34,
        proto: 36,
        pad: 37
    },
    flow_value: {
        last_ns: 0,
        generation: 8,
        rule: 12,
        name: 16,
        verdict: 20,
        by: 21,
        scope: 22,
        socket: 24
    },
    owner_key: {
        src: 0,
        port: 16,
        proto: 18,
        pad: 19
    },
    owner_value: {
        cgroup: 0,
        netns: 8,
        socket: 16,
        seen_ns: 24,
        asked: 32,
        pid: 48,
        uid: 52,
        asked_port: 56,
        scope: 58,
        origin: 60,
        pad: 61,
        comm: 64,
        start_ns: 80,
        execs: 88,
        pad2: 92
    },
    traffic_key: {
        dst: 0,
        rule: 16,
        name: 20,
        port: 24,
        proto: 26,
        origin: 27,
        by: 28,
        verdict: 29,
        pad: 30,
        comm: 32
    },
    traffic_value: {
        bytes: 0
    },
    reply_key: {
        scope: 0,
        size: 4,
        question: 8
    },
    reply_value: {
        number: 0,
        until_ns: 8,
        size: 16,
        pad: 20,
        reply: 24
    },
    config: {
        version: 0,
        mode: 4,
        host_netns: 8,
        daemon_cgroup: 16,
        loader_cgroup: 24,
        worker_cgroup: 32,
        guarded_cgroup: 40,
        heartbeat_limit_ns: 48,
        proxy4: 56,
        proxy6: 72,
        far4: 88,
        far6: 104,
        proxy_port: 120,
        canary_port: 122,
        host_pidns: 124,
        host_cgroupns: 128,
        pad: 132
    },
    policy_config: {
        generation: 0,
        default_verdict: 4,
        upstream: 8,
        upstream_port: 24,
        refuse_existing: 26,
        pad: 28,
        flow_idle_ns: 32
    }
};
const MODE = {
    NOTING: 0,
    AUDIT: 1,
    ENFORCE: 2
};
const SCOPE = {
    EVERYONE: 0,
    RUNNER: 1,
    DAEMON: 2,
    PLATFORM: 3,
    LEASE: 4,
    STEP_FIRST: 16
};
const ORIGIN = {
    UNKNOWN: 0,
    RUNNER: 1,
    JOB: 2,
    SYSTEM: 3,
    DAEMON: 4,
    CONTAINER: 5
};
const KIND = {
    USER: 0,
    AUTO: 1,
    RUNNER: 2,
    DENIAL: 3
};
const VERDICT = {
    DENY: 0,
    ALLOW: 1
};
const DECIDED_BY = {
    DEFAULT: 0,
    LOCAL: 1,
    RULE: 2,
    DENIAL: 3,
    GRANT: 4,
    AUTO_RULE: 5,
    AUTO_GRANT: 6,
    RUNNER_GRANT: 7,
    PORT_53: 8,
    PROTOCOL: 9,
    SHAPE: 10,
    NOT_IP: 11,
    PROOF: 12,
    DAEMON: 13,
    EXISTING: 14,
    KERNEL: 15,
    SOCKET: 16,
    INBOUND: 17
};
const LAYER = {
    CONNECT: 1,
    SENDMSG: 2,
    EGRESS: 3,
    TC: 4,
    SOCKET: 5,
    SYSCALL: 6
};
const COUNTER = {
    EVENTS_LOST: 0,
    SOCKETS_FULL: 1,
    OWNERS_FULL: 2,
    PROCESSES_FULL: 3,
    FLOWS_FULL: 4,
    TC_PROOF: 5,
    TC_DENIED: 6,
    EGRESS_DENIED: 7,
    CONNECT_DENIED: 8,
    STEERED: 9,
    TC_SEEN: 10,
    DNS_UNOWNED: 11,
    BYTES_UNTOLD: 12,
    DNS_DROPPED: 13,
    DNS_AGAIN: 14,
    SIZE: 16
};
const WRITABLE_MAP = {
    RULES: 1,
    GRANTS: 2,
    RESOLVERS: 3,
    CGROUPS: 4,
    EXISTING: 5,
    POLICY: 6,
    REPLIES: 7
};

;// CONCATENATED MODULE: ./build/ts/core/audit/identity.js


const KEY = OFFSET.identity_key;
const AT = OFFSET.identity;
const ROW = SIZE.identity_key + SIZE.identity;
const ANCESTORS_MAX = (SIZE.identity - AT.ancestors) / SIZE.ancestor;
const UNLINKED = 1;
const NS_A_TICK = 10000000n;
function ticksOf(startNs) {
    return Number(startNs / NS_A_TICK);
}
function* decodeIdentities(payload) {
    if (payload.length % ROW !== 0)
        throw new RangeError(`identities of ${payload.length} bytes`);
    for (let at = 0; at < payload.length; at += ROW) {
        const view = new DataView(payload.buffer, payload.byteOffset + at, ROW);
        const key = {
            pid: view.getUint32(KEY.pid, true),
            startNs: view.getBigUint64(KEY.start_ns, true),
            execs: view.getUint32(KEY.execs, true),
        };
        yield [key, decodeIdentity(payload.subarray(at + SIZE.identity_key, at + ROW))];
    }
}
function decodeIdentity(bytes) {
    const depth = Math.min(bytes[AT.depth] ?? 0, ANCESTORS_MAX);
    const exe = decodeExe(bytes.subarray(AT.exe, AT.exe + SIZE.exe));
    const name = decodeComm(bytes.subarray(AT.file, AT.ancestors));
    return {
        exe: exe && name !== '' ? { ...exe, name } : exe,
        ancestry: Array.from({ length: depth }, (_, index) => {
            const at = AT.ancestors + index * SIZE.ancestor;
            return decodeAncestor(bytes.subarray(at, at + SIZE.ancestor));
        }),
    };
}
function decodeAncestor(bytes) {
    const at = OFFSET.ancestor;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const exe = decodeExe(bytes.subarray(at.exe, at.exe + SIZE.exe));
    return {
        pid: view.getUint32(at.pid, true),
        start_ticks: ticksOf(view.getBigUint64(at.start_ns, true)),
        process: decodeComm(bytes.subarray(at.comm)),
        ...(exe === undefined ? {} : { exe }),
    };
}
function decodeExe(bytes) {
    const at = OFFSET.exe;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const ino = view.getBigUint64(at.ino, true);
    const dev = view.getUint32(at.dev, true);
    if (ino === 0n && dev === 0)
        return undefined;
    return {
        dev: `${dev >>> 20}:${dev & 0xfffff}`,
        ino: ino.toString(),
        ...((view.getUint32(at.flags, true) & UNLINKED) === 0 ? {} : { deleted: true }),
    };
}

;// CONCATENATED MODULE: ./build/ts/core/audit/identities.js

const TOLD = 2048;
function keyOf({ pid, startNs, execs }) {
    return `${pid} ${startNs} ${execs}`;
}
class Identities {
    #latest = new Map();
    #before = new Map();
    #unknown = 0;
    #last;
    get unknown() {
        return this.#unknown;
    }
    tell(payload) {
        this.#last = undefined;
        for (const [key, identity] of decodeIdentities(payload)) {
            this.#latest.set(keyOf(key), identity);
            if (this.#latest.size < TOLD)
                continue;
            this.#before = this.#latest;
            this.#latest = new Map();
        }
    }
    of(who) {
        if (who.pid === 0 || who.startNs === 0n)
            return undefined;
        const identity = this.#find(who);
        if (identity === undefined)
            this.#unknown++;
        return identity;
    }
    #find(who) {
        const last = this.#last;
        if (last?.key.startNs === who.startNs &&
            last.key.pid === who.pid &&
            last.key.execs === who.execs) {
            return last.identity;
        }
        const key = keyOf(who);
        const identity = this.#latest.get(key) ?? this.#before.get(key);
        this.#last = { key: who, identity };
        return identity;
    }
}

;// CONCATENATED MODULE: ./build/ts/core/audit/timestamp.js
const NS_A_SECOND = 1000000000n;
const SECONDS_A_DAY = 86_400;
const DAYS_TO_1970 = 719_468;
const DAYS_AN_ERA = 146_097;
function two(value) {
    return String(value).padStart(2, '0');
}
function civil(day) {
    const shifted = day + DAYS_TO_1970;
    const era = Math.floor(shifted / DAYS_AN_ERA);
    const ofEra = shifted - era * DAYS_AN_ERA;
    const yearOfEra = Math.floor((ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) /
        365);
    const dayOfYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
    const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
    const date = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
    const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
    const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
    return `${String(year).padStart(4, '0')}-${two(month)}-${two(date)}`;
}
function formatSecond(second) {
    const ofDay = second % SECONDS_A_DAY;
    const time = [Math.floor(ofDay / 3600), Math.floor(ofDay / 60) % 60, ofDay % 60];
    return `${civil(Math.floor(second / SECONDS_A_DAY))}T${time.map(two).join(':')}`;
}
let last = { second: -1, text: '' };
function formatTimestamp(wallNs) {
    const second = Number(wallNs / NS_A_SECOND);
    if (second !== last.second)
        last = { second, text: formatSecond(second) };
    const rest = Number(wallNs % NS_A_SECOND);
    return `${last.text}.${String(rest).padStart(9, '0')}Z`;
}

;// CONCATENATED MODULE: ./build/ts/core/flow/owner.js


function encodeOwnerKey(src, port, proto) {
    const key = new Uint8Array(SIZE.owner_key);
    const view = new DataView(key.buffer);
    key.set(src, OFFSET.owner_key.src);
    view.setUint16(OFFSET.owner_key.port, port, true);
    view.setUint8(OFFSET.owner_key.proto, proto);
    return key;
}
function decodeOwnerValue(value) {
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    const at = OFFSET.owner_value;
    return {
        pid: view.getUint32(at.pid, true),
        comm: decodeComm(value.subarray(at.comm, at.comm + 16)),
        uid: view.getUint32(at.uid, true),
        origin: view.getUint8(at.origin),
        scope: view.getUint16(at.scope, true),
        cgroup: view.getBigUint64(at.cgroup, true).toString(),
        startNs: view.getBigUint64(at.start_ns, true),
        execs: view.getUint32(at.execs, true),
    };
}
function decodeOwnerReply(reply) {
    if (reply.length !== 4 + SIZE.owner_value)
        return undefined;
    const view = new DataView(reply.buffer, reply.byteOffset, reply.length);
    return view.getInt32(0, true) === 0 ? decodeOwnerValue(reply.subarray(4)) : undefined;
}

;// CONCATENATED MODULE: ./build/ts/core/net/address.js
const ADDRESS_SIZE = 16;
const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
const GROUP = /^[0-9a-fA-F]{1,4}$/;
function parseIPv4Bytes(text) {
    const parts = IPV4.exec(text)?.slice(1).map(Number);
    return parts?.every((part) => part <= 255) ? parts : undefined;
}
function addressFromNumber(value) {
    const address = new Uint8Array(ADDRESS_SIZE);
    address[10] = 0xff;
    address[11] = 0xff;
    for (let at = 0; at < 4; at++)
        address[12 + at] = value >>> (24 - 8 * at);
    return address;
}
function parseGroups(text, mayEndInIPv4) {
    if (text === '')
        return [];
    const groups = [];
    const parts = text.split(':');
    for (const [index, part] of parts.entries()) {
        const bytes = mayEndInIPv4 && index === parts.length - 1 ? parseIPv4Bytes(part) : undefined;
        if (bytes !== undefined) {
            const [a = 0, b = 0, c = 0, d = 0] = bytes;
            groups.push(a * 256 + b, c * 256 + d);
        }
        else if (GROUP.test(part))
            groups.push(Number.parseInt(part, 16));
        else
            return undefined;
    }
    return groups;
}
function parseIPv6Groups(text) {
    const gap = text.indexOf('::');
    if (gap < 0) {
        const groups = parseGroups(text, true);
        return groups?.length === 8 ? groups : undefined;
    }
    const head = parseGroups(text.slice(0, gap), false);
    const tail = parseGroups(text.slice(gap + 2), true);
    if (head === undefined || tail === undefined)
        return undefined;
    const zeros = 8 - head.length - tail.length;
    return zeros < 1 ? undefined : [...head, ...Array(zeros).fill(0), ...tail];
}
function parseAddress(text) {
    const bytes = parseIPv4Bytes(text);
    if (bytes !== undefined) {
        const address = addressFromNumber(0);
        address.set(bytes, 12);
        return address;
    }
    if (!text.includes(':'))
        return undefined;
    const groups = parseIPv6Groups(text);
    return groups && Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}
function isIPv4(address) {
    if (address[10] !== 0xff || address[11] !== 0xff)
        return false;
    for (let at = 0; at < 10; at++)
        if (address[at] !== 0)
            return false;
    return true;
}
function longestZeros(groups) {
    let best = { start: -1, length: 1 };
    for (let start = 0; start < groups.length; start++) {
        let length = 0;
        while (groups[start + length] === 0)
            length++;
        if (length > best.length)
            best = { start, length };
    }
    return best;
}
function address_printAddress(address) {
    if (isIPv4(address))
        return `${address[12]}.${address[13]}.${address[14]}.${address[15]}`;
    const view = new DataView(address.buffer, address.byteOffset, ADDRESS_SIZE);
    const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(index * 2));
    const print = (part) => part.map((group) => group.toString(16)).join(':');
    const { start, length } = longestZeros(groups);
    if (start < 0)
        return print(groups);
    return `${print(groups.slice(0, start))}::${print(groups.slice(start + length))}`;
}
function addressKey(address) {
    const pair = (at) => ((address[at] ?? 0) << 8) | (address[at + 1] ?? 0);
    return String.fromCharCode(pair(0), pair(2), pair(4), pair(6), pair(8), pair(10), pair(12), pair(14));
}
function addressOfKey(key) {
    const address = new Uint8Array(ADDRESS_SIZE);
    for (let at = 0; at < ADDRESS_SIZE; at++) {
        address[at] = key.charCodeAt(at >> 1) >> (at % 2 === 0 ? 8 : 0);
    }
    return address;
}
function sameAddress(one, other) {
    return one.every((byte, index) => byte === other[index]);
}

;// CONCATENATED MODULE: ./build/ts/core/net/protocol.js
const PROTOCOL_NUMBERS = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 };
function protocolOf(number) {
    if (number === PROTOCOL_NUMBERS.tcp)
        return 'tcp';
    if (number === PROTOCOL_NUMBERS.udp)
        return 'udp';
    if (number === PROTOCOL_NUMBERS.icmp || number === PROTOCOL_NUMBERS.icmpv6)
        return 'icmp';
    return undefined;
}

;// CONCATENATED MODULE: ./build/ts/core/policy/cloud.js
const AZURE_CHASSIS = '7783-7084-3265-9085-8269-3286-77';
const SUFFIXES = {
    aws: ['compute.internal', 'ec2.internal'],
    azure: ['internal.cloudapp.net'],
    gcp: ['google.internal'],
};
function cloudOf({ provider, systemVendor, chassisAssetTag, }) {
    const named = provider.trim().toLowerCase();
    if (named !== '')
        return named === 'aws' || named === 'azure' || named === 'gcp' ? named : undefined;
    if (systemVendor.includes('Amazon EC2'))
        return 'aws';
    if (systemVendor.includes('Google'))
        return 'gcp';
    return chassisAssetTag.trim() === AZURE_CHASSIS ? 'azure' : undefined;
}
function cloudSearchDomains(cloud) {
    return cloud === undefined ? [] : SUFFIXES[cloud];
}

;// CONCATENATED MODULE: ./build/ts/core/audit/console-json.js
function consoleJson(value) {
    return JSON.stringify(value).replaceAll('##[', '#\\u0023[');
}

;// CONCATENATED MODULE: ./build/ts/core/audit/jsonl.js

const CONTRACT_ORDER = [
    'timestamp',
    'event_type',
    'src_ip',
    'dst_ip',
    'dst_hostname',
    'dst_port',
    'protocol',
    'process',
    'pid',
    'matched_rule',
    'auto_allowed_type',
    'would_deny',
    'blocked',
];
const CONTRACT = new Set(CONTRACT_ORDER);
const KINDS = new Set([
    'connection_blocked',
    'connection_allowed',
    'connection_late_allowed',
    'protocol_blocked',
    'dns_blocked',
    'existing_connection',
    'traffic',
    'large_upload',
    'session_started',
    'session_ended',
    'tamper',
    'daemon_restarted',
    'dns_upstream_down',
    'dns_unusual',
]);
function isEmptyValue(value) {
    return value === undefined || value === '' || value === 0;
}
const TEXTS = new WeakMap();
function textOf(ancestry) {
    const known = TEXTS.get(ancestry);
    if (known !== undefined)
        return known;
    const text = consoleJson(ancestry);
    TEXTS.set(ancestry, text);
    return text;
}
function encodeRecord(record) {
    const fields = record;
    const line = {};
    for (const name of CONTRACT_ORDER) {
        const value = fields[name];
        if (!isEmptyValue(value))
            line[name] = value;
    }
    for (const name in fields) {
        const value = fields[name];
        if (!isEmptyValue(value) && !CONTRACT.has(name) && name !== 'ancestry')
            line[name] = value;
    }
    const { ancestry } = fields;
    const text = consoleJson(line);
    if (typeof ancestry !== 'object' || ancestry === null)
        return `${text}\n`;
    return `${text.slice(0, -1)},"ancestry":${textOf(ancestry)}}\n`;
}
function decodeLog(text) {
    const records = [];
    const badLines = [];
    const lines = text.split('\n');
    const last = lines.pop();
    for (const [index, line] of lines.entries()) {
        const record = decodeRecord(line);
        if (record === undefined)
            badLines.push(index + 1);
        else
            records.push(record);
    }
    if (last !== undefined && last !== '')
        badLines.push(lines.length + 1);
    return { records, badLines };
}
function decodeRecord(line) {
    let value;
    try {
        value = JSON.parse(line);
    }
    catch {
        return undefined;
    }
    return isRecord(value) ? value : undefined;
}
function isRecord(value) {
    if (typeof value !== 'object' || value === null)
        return false;
    const fields = new Map(Object.entries(value));
    return (typeof fields.get('timestamp') === 'string' &&
        KINDS.has(String(fields.get('event_type'))) &&
        typeof fields.get('would_deny') === 'boolean' &&
        typeof fields.get('blocked') === 'boolean');
}

;// CONCATENATED MODULE: ./build/ts/daemon/audit-logger.js

function kindOf(record) {
    return 'reason' in record && record.reason === 'proof' ? 'proof' : record.event_type;
}
function weightOf(record) {
    return record.event_type === 'dns_blocked' ? (record.count ?? 1) : 1;
}
class AuditLogger {
    #sink;
    #totals = new Map();
    #auditMode;
    #lost = 0;
    #closed = false;
    constructor(sink, auditMode) {
        this.#sink = sink;
        this.#auditMode = auditMode;
    }
    isAuditMode() {
        return this.#auditMode;
    }
    setAuditMode(auditMode) {
        this.#auditMode = auditMode;
    }
    get lost() {
        return this.#lost;
    }
    totals() {
        return Object.fromEntries(this.#totals);
    }
    count(record) {
        this.#add(kindOf(record), weightOf(record));
    }
    #add(kind, count) {
        this.#totals.set(kind, (this.#totals.get(kind) ?? 0) + count);
    }
    logEvents(records) {
        const kinds = new Map();
        let lines = '';
        for (const record of records) {
            lines += encodeRecord(record);
            const kind = kindOf(record);
            kinds.set(kind, (kinds.get(kind) ?? 0) + weightOf(record));
        }
        if (lines === '')
            return;
        try {
            if (this.#closed)
                throw new Error('the log is closed');
            this.#sink.append(lines);
            for (const [kind, count] of kinds)
                this.#add(kind, count);
        }
        catch {
            for (const count of kinds.values())
                this.#lost += count;
        }
    }
    logEvent(record) {
        this.logEvents([record]);
    }
    logConnectionAllowed(flow) {
        this.#log('connection_allowed', flow, false);
    }
    logConnectionBlocked(flow) {
        this.#log('connection_blocked', flow, true);
    }
    logConnectionLateAllowed(flow) {
        this.#log('connection_late_allowed', flow, false);
    }
    logProtocolBlocked(flow) {
        this.#log('protocol_blocked', flow, true);
    }
    logDnsBlocked(flow) {
        this.#log('dns_blocked', flow, true);
    }
    logExistingConnection(flow, allowed) {
        this.#log('existing_connection', flow, !allowed);
    }
    #log(event_type, flow, refused) {
        this.logEvent({
            timestamp: flow.timestamp,
            event_type,
            src_ip: flow.srcIp ?? '',
            dst_ip: flow.dstIp ?? '',
            dst_hostname: flow.hostname ?? '',
            dst_port: flow.dstPort ?? 0,
            protocol: flow.protocol ?? '',
            process: flow.process ?? '',
            pid: flow.pid ?? 0,
            matched_rule: flow.matchedRule ?? '',
            auto_allowed_type: flow.autoAllowedType ?? '',
            ...flow.more,
            would_deny: refused && this.#auditMode,
            blocked: refused && !this.#auditMode,
        });
    }
    close() {
        this.#closed = true;
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/seals.js
const BURST = 8;
const PAUSE_MS = 1000;
class Seals {
    asked = 0;
    #options;
    #takenUntilMs = Number.NEGATIVE_INFINITY;
    #last = Promise.resolve();
    #next;
    constructor(options) {
        this.#options = options;
    }
    seal() {
        this.asked++;
        this.#next ??= this.#write(this.#last);
        return this.#next;
    }
    async #write(before) {
        const { nowMs, after, write } = this.#options;
        const done = Promise.withResolvers();
        this.#last = done.promise;
        try {
            await before;
            const dueMs = this.#takenUntilMs - (BURST - 1) * PAUSE_MS;
            if (dueMs > nowMs())
                await after(dueMs - nowMs());
            this.#takenUntilMs = Math.max(this.#takenUntilMs, nowMs()) + PAUSE_MS;
            this.#next = undefined;
            return await write();
        }
        finally {
            done.resolve();
        }
    }
}

;// CONCATENATED MODULE: ./build/ts/core/audit/event.js
const SCHEMA_VERSION = 1;
function isConnectionAllowed(type) {
    return type === 'connection_allowed' || type === 'connection_late_allowed';
}

;// CONCATENATED MODULE: ./build/ts/core/policy/describe-auto-allowed.js
function portText({ port, protocol }) {
    if (protocol === 'icmp')
        return 'icmp';
    return protocol === 'both' ? String(port) : `${port}/${protocol}`;
}
function targetText({ text, ports }) {
    return ports === null ? text : `${text}:${ports.map(portText).join(';')}`;
}
function whoseOf(rule) {
    if (rule.runnerHost === true)
        return 'the runner';
    return rule.target.kind === 'prefix' ? 'the runner and the platform' : 'every step';
}
function describeAutoAllowed(policy, upstreams) {
    const targets = upstreams.map(({ address, port }) => address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`);
    return [{ type: 'dns', whose: 'the daemon', targets }, ...describeRules(policy)];
}
function describeRules(policy) {
    const groups = new Map();
    for (const rule of policy.rules) {
        const type = rule.autoAllowedType;
        if (type === undefined)
            continue;
        const whose = whoseOf(rule);
        const group = groups.get(`${type} ${whose}`) ?? { type, whose, targets: [] };
        group.targets.push(targetText(rule));
        groups.set(`${type} ${whose}`, group);
    }
    return [...groups.values()];
}

;// CONCATENATED MODULE: ./build/ts/daemon/session-records.js



const NEITHER = { would_deny: false, blocked: false };
function sessionStarted(session, timestamp, clockOffsetNs, cloud) {
    const { mode, policy, upstreams, configFile, job } = session;
    return {
        timestamp,
        event_type: 'session_started',
        ...NEITHER,
        schema: SCHEMA_VERSION,
        mode,
        default: policy.default,
        rules: policy.rules.length,
        ...(configFile === undefined
            ? {}
            : { policy_file: configFile.path, policy_sha256: configFile.sha256 }),
        upstreams: upstreams.map(({ address, port }) => `${address} port ${port}`),
        ...(cloud === undefined ? {} : { cloud }),
        auto_allowed: describeAutoAllowed(policy, upstreams),
        clock_offset_ns: clockOffsetNs.toString(),
        repository: job.repository,
        workflow: job.workflow,
        job: job.job,
        run_id: job.runId,
        run_attempt: job.runAttempt,
    };
}
function daemonRestarted(timestamp, pid) {
    const reason = 'the daemon had ended; the kernel went on enforcing';
    return { timestamp, event_type: 'daemon_restarted', ...NEITHER, reason, pid };
}
function noticeText(notice) {
    if (typeof notice === 'object' && notice !== null && 'what' in notice)
        return String(notice.what);
    return JSON.stringify(notice);
}
function tamper(timestamp, reason) {
    return { timestamp, event_type: 'tamper', ...NEITHER, reason };
}
function dnsUpstreamDown(timestamp, upstreams, reason) {
    return { timestamp, event_type: 'dns_upstream_down', ...NEITHER, upstreams, reason };
}
function unsent(tracker) {
    return tracker === undefined ? 0 : tracker.failed + tracker.dropped + tracker.pending;
}
function losses(sources) {
    const { logger, pipeline, proxy, questions, lateAllow, notifications, kernel } = sources;
    const dns = proxy.totals();
    const { grantsRefused = 0, grantsEvicted = 0 } = dns;
    return {
        events: kernel[COUNTER.EVENTS_LOST] ?? 0,
        sockets: kernel[COUNTER.SOCKETS_FULL] ?? 0,
        owners: kernel[COUNTER.OWNERS_FULL] ?? 0,
        processes: kernel[COUNTER.PROCESSES_FULL] ?? 0,
        flows: kernel[COUNTER.FLOWS_FULL] ?? 0,
        identities: sources.identities.unknown,
        undecodable: pipeline.undecodable,
        records: logger.lost,
        grants_refused: grantsRefused,
        grants_evicted: grantsEvicted,
        dns_overloaded: dns.overloaded,
        dns_streams_refused: questions.streams.refused,
        dns_unowned: dns.unowned + (kernel[COUNTER.DNS_UNOWNED] ?? 0),
        dns_dropped: kernel[COUNTER.DNS_DROPPED] ?? 0,
        dns_servfail: dns.servfail,
        late_attempts: lateAllow.dropped,
        late_names: lateAllow.skipped,
        notifications: unsent(notifications),
        bytes_untold: kernel[COUNTER.BYTES_UNTOLD] ?? 0,
        traffic_unvisited: sources.traffic.unvisited,
    };
}
function sessionEnded(timestamp, mode, sources, sums) {
    const { logger, proxy, questions, kernel } = sources;
    const again = kernel[COUNTER.DNS_AGAIN] ?? 0;
    const totals = {
        ...logger.totals(),
        dns_questions: proxy.counters.queries + again,
        dns_answered: proxy.counters.answered + again,
        dns_answered_in_kernel: again,
        dns_refused: proxy.counters.refused,
        dns_unusual_names: questions.unusualNames,
        frames_judged: kernel[COUNTER.TC_SEEN] ?? 0,
        frames_denied: kernel[COUNTER.TC_DENIED] ?? 0,
        packets_denied: kernel[COUNTER.EGRESS_DENIED] ?? 0,
        calls_denied: kernel[COUNTER.CONNECT_DENIED] ?? 0,
        calls_steered: kernel[COUNTER.STEERED] ?? 0,
        bytes_out: sums.bytesOut,
        seals: sums.seals,
    };
    const lost = losses(sources);
    const accounts = proxy.runnerAccounts();
    const further = accounts.length === 0 ? {} : { runner_accounts: accounts };
    return { timestamp, event_type: 'session_ended', ...NEITHER, mode, totals, ...further, lost };
}

;// CONCATENATED MODULE: ./build/ts/daemon/control-server.js


const LAST_NOTIFICATIONS_MS = 2000;
function commandOf(line) {
    try {
        const value = JSON.parse(line);
        if (typeof value !== 'object' || value === null || !('command' in value))
            return undefined;
        return typeof value.command === 'string' ? value.command : undefined;
    }
    catch {
    }
    return undefined;
}
const STRANGE_MAX = 16;
class ControlServer {
    #options;
    #seals;
    #strange = new Set();
    constructor(options) {
        const { nowMs, after } = options;
        this.#options = options;
        this.#seals = new Seals({ write: () => this.#writeSeal(), nowMs, after });
    }
    async answer({ client, line, peer }) {
        const { loader, mode, pid } = this.#options;
        const command = commandOf(line);
        if (command === 'status') {
            const { logger } = this.#options;
            const lost = losses(await this.#sources());
            loader.reply(client, { running: true, mode, pid, totals: logger.totals(), lost });
        }
        else if (command === 'seal') {
            await this.#lastNotifications();
            loader.reply(client, { sealed: true, mode, pid, ...(await this.#seals.seal()) });
        }
        else {
            this.#recordStrange(peer);
            const error = 'unknown request: send {"command":"status"} or {"command":"seal"}';
            loader.reply(client, { error });
        }
    }
    async #sources() {
        const { loader, pipeline, questions } = this.#options;
        pipeline.flush();
        questions.flush();
        return { ...this.#options, kernel: await loader.counters() };
    }
    async #lastNotifications() {
        const { notifications, after } = this.#options;
        if (notifications === undefined)
            return;
        await Promise.race([notifications.idle(), after(LAST_NOTIFICATIONS_MS)]);
    }
    async #writeSeal() {
        const { logger, mode, traffic, timestamp } = this.#options;
        const sources = await this.#sources();
        const sent = await traffic.read();
        logger.logEvents(sent);
        const bytesOut = sent.reduce((sum, { bytes_out }) => sum + bytes_out, 0);
        const record = sessionEnded(timestamp(), mode, sources, { bytesOut, seals: this.#seals.asked });
        logger.logEvent(record);
        const { totals, lost } = record;
        return { totals, lost: { ...lost, records: logger.lost } };
    }
    #recordStrange({ uid, pid }) {
        const { logger, timestamp } = this.#options;
        if (this.#strange.has(pid) || this.#strange.size === STRANGE_MAX)
            return;
        this.#strange.add(pid);
        const more = this.#strange.size === STRANGE_MAX ? '; what comes from now on is not told' : '';
        const what = `process ${pid} of user ${uid} sent the control socket what is no status or seal`;
        logger.logEvent(tamper(timestamp(), `${what}${more}`));
    }
}

;// CONCATENATED MODULE: ./build/ts/core/dns/codes.js
const TYPE = {
    A: 1,
    NS: 2,
    CNAME: 5,
    SOA: 6,
    PTR: 12,
    MX: 15,
    TXT: 16,
    AAAA: 28,
    SRV: 33,
    OPT: 41,
    SVCB: 64,
    HTTPS: 65,
};
const CLASS_IN = 1;
const RCODE = {
    NOERROR: 0,
    FORMERR: 1,
    SERVFAIL: 2,
    NXDOMAIN: 3,
    NOTIMP: 4,
    REFUSED: 5,
    BADVERS: 16,
};
const EDE_BLOCKED = 15;
const OPTION_EDE = 15;
const FLAG = {
    RESPONSE: 0x8000,
    OPCODE: 0x7800,
    TRUNCATED: 0x0200,
    RECURSION_DESIRED: 0x0100,
    RECURSION_AVAILABLE: 0x0080,
    CHECKING_DISABLED: 0x0010,
    RCODE: 0x000f,
};
const TYPES_OF_EVERY_NAME = new Set([
    TYPE.A,
    TYPE.AAAA,
    TYPE.CNAME,
    TYPE.HTTPS,
    TYPE.SVCB,
]);
const TYPES_OF_ALLOWED_NAMES = new Set([
    TYPE.SRV,
    TYPE.TXT,
    TYPE.MX,
    TYPE.NS,
    TYPE.SOA,
]);
const TYPE_NAMES = new Map(Object.entries(TYPE).map(([name, number]) => [number, name]));
function typeName(type) {
    return TYPE_NAMES.get(type) ?? `TYPE${type}`;
}

;// CONCATENATED MODULE: ./build/ts/core/dns/dns-decode-error.js
class DnsDecodeError extends Error {
    code;
    constructor(code, message) {
        super(message);
        this.name = 'DnsDecodeError';
        this.code = code;
    }
}

;// CONCATENATED MODULE: ./build/ts/core/dns/name.js

const MAX_NAME = 255;
const POINTER = 0xc0;
const HEADER_SIZE = 12;
const MAX_POINTERS = 64;
const DOT = 0x2e;
const BACKSLASH = 0x5c;
function addLabel(codes, bytes, start, end) {
    for (let at = start; at < end; at++) {
        const byte = bytes[at] ?? 0;
        if (byte >= 0x61 && byte <= 0x7a)
            codes.push(byte);
        else if (byte >= 0x41 && byte <= 0x5a)
            codes.push(byte + 0x20);
        else if (byte > 0x20 && byte < 0x7f && byte !== DOT && byte !== BACKSLASH)
            codes.push(byte);
        else {
            const digits = String(byte).padStart(3, '0');
            codes.push(BACKSLASH, ...[0, 1, 2].map((index) => digits.charCodeAt(index)));
        }
    }
}
function pointerTarget(bytes, at, limit) {
    const low = bytes[at + 1];
    if (low === undefined)
        throw new DnsDecodeError('name', 'a pointer is cut off');
    const target = (((bytes[at] ?? 0) & 0x3f) << 8) | low;
    if (target < HEADER_SIZE || target >= limit) {
        throw new DnsDecodeError('name', 'a pointer does not lead to a prior name');
    }
    return target;
}
function checkLabel(bytes, at, length, size) {
    if (length > 63)
        throw new DnsDecodeError('name', 'a label type is not known');
    if (size > MAX_NAME)
        throw new DnsDecodeError('name', 'a name is longer than 255 bytes');
    if (at + 1 + length > bytes.length)
        throw new DnsDecodeError('name', 'a label is cut off');
}
function readName(bytes, offset) {
    const codes = [];
    let at = offset;
    let limit = offset;
    let next;
    let size = 1;
    let pointers = 0;
    for (;;) {
        const length = bytes[at];
        if (length === undefined)
            throw new DnsDecodeError('name', 'a name runs past the end');
        if (length === 0)
            break;
        if (length >= POINTER) {
            if (++pointers > MAX_POINTERS)
                throw new DnsDecodeError('name', 'a name has too many pointers');
            limit = pointerTarget(bytes, at, limit);
            next ??= at + 2;
            at = limit;
            continue;
        }
        size += length + 1;
        checkLabel(bytes, at, length, size);
        if (codes.length > 0)
            codes.push(DOT);
        addLabel(codes, bytes, at + 1, at + 1 + length);
        at += 1 + length;
    }
    return { name: String.fromCharCode.apply(null, codes), next: next ?? at + 1 };
}
function endLabel(bytes, start, end) {
    const length = end - start - 1;
    if (length === 0 || length > 63) {
        throw new DnsDecodeError('name', 'a label is empty or longer than 63 bytes');
    }
    bytes[start] = length;
}
const scratch = new Uint8Array(2 * MAX_NAME);
function encodeName(name) {
    if (name === '' || name === '.')
        return Uint8Array.of(0);
    let label = 0;
    let end = 1;
    for (let at = 0; at < name.length; at++) {
        const code = name.charCodeAt(at);
        if (code === DOT) {
            endLabel(scratch, label, end);
            label = end++;
        }
        else if (code === BACKSLASH) {
            scratch[end++] = Number.parseInt(name.slice(at + 1, at + 4), 10);
            at += 3;
        }
        else
            scratch[end++] = code;
        if (end > MAX_NAME)
            throw new DnsDecodeError('name', 'a name is longer than 255 bytes');
    }
    endLabel(scratch, label, end);
    scratch[end++] = 0;
    if (end > MAX_NAME)
        throw new DnsDecodeError('name', 'a name is longer than 255 bytes');
    return scratch.slice(0, end);
}
function isBelow(name, suffix) {
    return name.length > suffix.length + 1 && name.endsWith(`.${suffix}`);
}

;// CONCATENATED MODULE: ./build/ts/core/dns/answer.js


const OUR_UDP_SIZE = 1232;
const SMALLEST_UDP_SIZE = 512;
const LARGEST_UDP_SIZE = 4096;
const LARGEST_MESSAGE = 65_535;
const QUESTION_AT = 12;
let room = new Uint8Array(1024);
class Writer {
    #names = [];
    #bytes = room;
    #length = 0;
    get length() {
        return this.#length;
    }
    #room(size) {
        if (this.#length + size <= this.#bytes.length)
            return;
        room = new Uint8Array(2 * (this.#length + size));
        room.set(this.#bytes);
        this.#bytes = room;
    }
    uint16(value) {
        this.#room(2);
        this.#bytes[this.#length++] = value >> 8;
        this.#bytes[this.#length++] = value;
    }
    uint32(value) {
        this.uint16(Math.floor(value / 0x10000));
        this.uint16(value & 0xffff);
    }
    raw(bytes) {
        this.#room(bytes.length);
        this.#bytes.set(bytes, this.#length);
        this.#length += bytes.length;
    }
    #placeOf(name) {
        return this.#names.find((known) => known.name === name)?.at;
    }
    known(name, at) {
        if (at < 0x4000 && this.#placeOf(name) === undefined)
            this.#names.push({ name, at });
    }
    name(name) {
        const at = this.#placeOf(name);
        if (at !== undefined && name !== '') {
            this.uint16(0xc000 | at);
            return;
        }
        this.known(name, this.length);
        this.raw(encodeName(name));
    }
    sized(write) {
        const at = this.length;
        this.uint16(0);
        write();
        const size = this.length - at - 2;
        this.#bytes[at] = size >> 8;
        this.#bytes[at + 1] = size;
    }
    done() {
        return this.#bytes.slice(0, this.#length);
    }
}
function writeData(writer, record) {
    const { data } = record;
    switch (data.kind) {
        case 'address':
            writer.raw(record.type === TYPE.A ? data.address.subarray(12) : data.address);
            return;
        case 'alias':
            writer.name(data.target);
            return;
        case 'raw':
            writer.raw(data.rdata);
            return;
        case 'other':
    }
}
function writeRecord(writer, record, age) {
    writer.name(record.name);
    writer.uint16(record.type);
    writer.uint16(CLASS_IN);
    writer.uint32(Math.max(0, record.ttl - age));
    writer.sized(() => writeData(writer, record));
}
function writeOpt(writer, rcode, blocked) {
    writer.raw(Uint8Array.of(0));
    writer.uint16(TYPE.OPT);
    writer.uint16(OUR_UDP_SIZE);
    writer.raw(Uint8Array.of(rcode >> 4, 0, 0, 0));
    writer.sized(() => {
        if (!blocked)
            return;
        writer.uint16(OPTION_EDE);
        writer.sized(() => writer.uint16(EDE_BLOCKED));
    });
}
function encodeWith(query, content, truncated) {
    const writer = new Writer();
    const records = truncated ? [] : content.records;
    const kept = FLAG.OPCODE | FLAG.RECURSION_DESIRED | FLAG.CHECKING_DISABLED;
    const flags = FLAG.RESPONSE | FLAG.RECURSION_AVAILABLE | (query.flags & kept);
    writer.uint16(query.id);
    writer.uint16(flags | (truncated ? FLAG.TRUNCATED : 0) | (content.rcode & FLAG.RCODE));
    writer.uint16(1);
    writer.uint16(records.length);
    writer.uint16(0);
    writer.uint16(query.opt === undefined ? 0 : 1);
    writer.known(query.question.name, QUESTION_AT);
    writer.raw(query.question.raw);
    for (const record of records)
        writeRecord(writer, record, content.age ?? 0);
    if (query.opt !== undefined)
        writeOpt(writer, content.rcode, content.blocked === true);
    return writer.done();
}
function answerLimit(query, protocol) {
    if (protocol === 'tcp')
        return LARGEST_MESSAGE;
    const offered = query.opt?.udpSize ?? SMALLEST_UDP_SIZE;
    return Math.min(LARGEST_UDP_SIZE, Math.max(SMALLEST_UDP_SIZE, offered));
}
function encodeAnswer(query, content, limit) {
    const whole = encodeWith(query, content, false);
    return whole.length <= limit ? whole : encodeWith(query, content, true);
}
function encodeHeaderAnswer(id, flags, rcode) {
    const kept = FLAG.OPCODE | FLAG.RECURSION_DESIRED;
    const word = FLAG.RESPONSE | (flags & kept) | rcode;
    const head = new Uint8Array(12);
    head.set([id >> 8, id & 0xff, word >> 8, word & 0xff]);
    return head;
}
function encodeQuestion(name, type) {
    const writer = new Writer();
    for (const word of [0, FLAG.RECURSION_DESIRED, 1, 0, 0, 1])
        writer.uint16(word);
    writer.name(name);
    writer.uint16(type);
    writer.uint16(CLASS_IN);
    writeOpt(writer, 0, false);
    return writer.done();
}
function withId(message, id) {
    const copy = message.slice();
    copy[0] = id >> 8;
    copy[1] = id & 0xff;
    return copy;
}

;// CONCATENATED MODULE: ./build/ts/core/net/pair-set.js
const NO_PORTS = { kind: 'some', ports: [] };
const ALL_PORTS = { kind: 'allBut', ports: [] };
const LAST_PORT = 65535;
function emptyPairs() {
    return { tcp: NO_PORTS, udp: NO_PORTS, icmp: false };
}
function everyPort() {
    return { tcp: ALL_PORTS, udp: ALL_PORTS, icmp: false };
}
function everyPair() {
    return { tcp: ALL_PORTS, udp: ALL_PORTS, icmp: true };
}
function some(ports) {
    return { kind: 'some', ports: [...new Set(ports)].sort((a, b) => a - b) };
}
function allBut(ports) {
    return { kind: 'allBut', ports: [...new Set(ports)].sort((a, b) => a - b) };
}
function complement(set) {
    return { kind: set.kind === 'some' ? 'allBut' : 'some', ports: set.ports };
}
function hasPort(set, port) {
    return set.ports.includes(port) === (set.kind === 'some');
}
function intersectPorts(a, b) {
    if (a.kind === 'some')
        return some(a.ports.filter((port) => hasPort(b, port)));
    if (b.kind === 'some')
        return some(b.ports.filter((port) => hasPort(a, port)));
    return allBut([...a.ports, ...b.ports]);
}
function unionPorts(a, b) {
    return complement(intersectPorts(complement(a), complement(b)));
}
function union(a, b) {
    return {
        tcp: unionPorts(a.tcp, b.tcp),
        udp: unionPorts(a.udp, b.udp),
        icmp: a.icmp || b.icmp,
    };
}
function intersect(a, b) {
    return {
        tcp: intersectPorts(a.tcp, b.tcp),
        udp: intersectPorts(a.udp, b.udp),
        icmp: a.icmp && b.icmp,
    };
}
function subtract(a, b) {
    return intersect(a, { tcp: complement(b.tcp), udp: complement(b.udp), icmp: !b.icmp });
}
function isEmptyPorts(set) {
    return set.kind === 'some' ? set.ports.length === 0 : set.ports.length === LAST_PORT;
}
function isEmpty(set) {
    return isEmptyPorts(set.tcp) && isEmptyPorts(set.udp) && !set.icmp;
}
function has(set, protocol, port) {
    return protocol === 'icmp' ? set.icmp : hasPort(set[protocol], port);
}
function pairsOf(ports, action) {
    if (ports === null)
        return action === 'deny' ? everyPair() : everyPort();
    const of = (protocol) => ports.filter((item) => item.protocol === protocol || item.protocol === 'both');
    const portsOf = (protocol) => some(of(protocol)
        .map((item) => item.port)
        .filter((port) => port > 0));
    return {
        tcp: portsOf('tcp'),
        udp: portsOf('udp'),
        icmp: ports.some((item) => item.protocol === 'icmp'),
    };
}
function rangesOf(set) {
    const ranges = [];
    for (const protocol of ['tcp', 'udp']) {
        for (const [from, to] of runs(set[protocol]))
            ranges.push({ protocol, from, to });
    }
    if (set.icmp)
        ranges.push({ protocol: 'icmp', from: 0, to: 0 });
    return ranges;
}
function runs(set) {
    const found = [];
    if (set.kind === 'allBut') {
        let from = 1;
        for (const port of [...set.ports, LAST_PORT + 1]) {
            if (port > from)
                found.push([from, port - 1]);
            from = port + 1;
        }
        return found;
    }
    for (const port of set.ports) {
        const last = found.at(-1);
        if (last !== undefined && last[1] === port - 1)
            last[1] = port;
        else
            found.push([port, port]);
    }
    return found;
}

;// CONCATENATED MODULE: ./build/ts/core/dns/grant-entries.js

const HOLE = { expiresAtMs: 0, rule: 0, name: 0 };
function latest(claims) {
    let best;
    for (const claim of claims) {
        if (best === undefined || claim.expiresAtMs >= best.expiresAtMs)
            best = claim;
    }
    return best;
}
function entry(protocol, port, claim) {
    const { expiresAtMs, rule, name } = claim;
    return { protocol, port, expiresAtMs, rule, name };
}
function entriesOfPorts(protocol, claims) {
    const portsOf = (claim) => claim.pairs[protocol];
    const [first] = claims;
    if (first !== undefined && claims.length === 1 && portsOf(first).kind === 'some') {
        return portsOf(first).ports.map((port) => entry(protocol, port, first));
    }
    const wide = latest(claims.filter((claim) => portsOf(claim).kind === 'allBut'));
    const named = new Set(claims.flatMap((claim) => portsOf(claim).ports));
    const entries = [];
    for (const port of [...named].sort((a, b) => a - b)) {
        const best = latest(claims.filter((claim) => has(claim.pairs, protocol, port)));
        if (best !== undefined && best === wide)
            continue;
        if (best !== undefined)
            entries.push(entry(protocol, port, best));
        else if (wide !== undefined)
            entries.push(entry(protocol, port, HOLE));
    }
    if (wide !== undefined)
        entries.push(entry(protocol, 0, wide));
    return entries;
}
function grantEntries(claims) {
    const icmp = latest(claims.filter((claim) => claim.pairs.icmp));
    return [
        ...entriesOfPorts('tcp', claims),
        ...entriesOfPorts('udp', claims),
        ...(icmp === undefined ? [] : [entry('icmp', 0, icmp)]),
    ];
}

;// CONCATENATED MODULE: ./build/ts/core/dns/grant-write.js
const GRANTS_MAP = 2;
const KEY_SIZE = 24;
const VALUE_SIZE = 16;
const TWO_TO_32 = 2 ** 32;
function setUint32(bytes, at, value) {
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
}
function encodeKey(key) {
    const bytes = new Uint8Array(KEY_SIZE);
    setUint32(bytes, 0, key.scope);
    bytes[4] = key.kind;
    bytes[5] = key.proto;
    bytes[6] = key.port;
    bytes[7] = key.port >> 8;
    bytes.set(key.address, 8);
    return bytes;
}
function encodeValue(value) {
    const bytes = new Uint8Array(VALUE_SIZE);
    const ns = Math.ceil(value.expiresMs) * 1_000_000;
    setUint32(bytes, 0, ns % TWO_TO_32);
    setUint32(bytes, 4, Math.floor(ns / TWO_TO_32));
    setUint32(bytes, 8, value.rule);
    setUint32(bytes, 12, value.name);
    return bytes;
}
function grantUpdate(key, value) {
    return { map: GRANTS_MAP, op: 'update', key: encodeKey(key), value: encodeValue(value) };
}
function decodeGrants(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Array.from({ length: Math.ceil(bytes.length / (KEY_SIZE + VALUE_SIZE)) }, (_, index) => {
        const at = index * (KEY_SIZE + VALUE_SIZE);
        const valueAt = at + KEY_SIZE;
        const key = {
            scope: view.getUint32(at, true),
            kind: view.getUint8(at + 4),
            proto: view.getUint8(at + 5),
            port: view.getUint16(at + 6, true),
            address: bytes.slice(at + 8, valueAt),
        };
        const value = {
            expiresMs: Number(view.getBigUint64(valueAt, true) / 1000000n),
            rule: view.getUint32(valueAt + 8, true),
            name: view.getUint32(valueAt + 12, true),
        };
        return { key, value };
    });
}
function grantDelete(key) {
    return { map: GRANTS_MAP, op: 'delete', key: encodeKey(key), value: new Uint8Array(0) };
}

;// CONCATENATED MODULE: ./build/ts/core/dns/one-or-many.js
class Several {
    byKey = new Map();
    latest = '';
}
class OneOrMany {
    #held = undefined;
    get size() {
        if (this.#held === undefined)
            return 0;
        return this.#held instanceof Several ? this.#held.byKey.size : 1;
    }
    get(like) {
        const held = this.#held;
        if (held === undefined)
            return undefined;
        const key = this.keyOf(like);
        if (held instanceof Several)
            return held.byKey.get(key);
        return this.keyOf(held) === key ? held : undefined;
    }
    set(value) {
        const before = this.get(value);
        const held = this.#held;
        if (held === undefined || held === before)
            this.#held = value;
        else
            add(this.#several(held), this.keyOf(value), value);
        return before;
    }
    #several(held) {
        if (held instanceof Several)
            return held;
        const several = new Several();
        add(several, this.keyOf(held), held);
        this.#held = several;
        return several;
    }
    delete(like) {
        if (this.#held instanceof Several)
            this.#held.byKey.delete(this.keyOf(like));
        else if (this.get(like) !== undefined)
            this.#held = undefined;
    }
    values() {
        if (this.#held === undefined)
            return [];
        return this.#held instanceof Several ? [...this.#held.byKey.values()] : [this.#held];
    }
    latest() {
        const held = this.#held;
        return held instanceof Several ? held.byKey.get(held.latest) : held;
    }
    oldest() {
        return this.#held instanceof Several ? this.#held.byKey.values().next().value : this.#held;
    }
}
function add(several, key, value) {
    if (key !== several.latest)
        several.byKey.delete(key);
    several.byKey.set(key, value);
    several.latest = key;
}

;// CONCATENATED MODULE: ./build/ts/core/dns/address-grants.js





const SETTLED_MS = 2000;
const TABLES = {
    user: { scope: 0, kind: 0 },
    auto: { scope: 0, kind: 1 },
    runner: { scope: 1, kind: 2 },
    daemon: { scope: 2, kind: 1 },
    denial: { scope: 0, kind: 3 },
};
function tableOf(scope, kind) {
    const tables = Object.keys(TABLES);
    return tables.find((table) => TABLES[table].scope === scope && TABLES[table].kind === kind);
}
class WrittenEntries extends OneOrMany {
    keyOf({ table, protocol, port }) {
        return `${table}|${protocol}|${port}`;
    }
}
const FEW = 8;
function groupOf({ table, segment }) {
    return `${table}|${segment.key}`;
}
function isForAll({ table }) {
    return table === 'user' || table === 'auto';
}
function leadersOf(holdings) {
    const leaders = new Map();
    for (const holding of holdings) {
        const key = groupOf(holding);
        const lead = leaders.get(key);
        if (lead !== undefined && lead.expiresAtMs > holding.expiresAtMs)
            continue;
        leaders.delete(key);
        leaders.set(key, holding);
    }
    return leaders;
}
class Crowd {
    leading = undefined;
    latest = undefined;
    note(holding, before) {
        if (isForAll(holding))
            this.latest = holding;
        const { leading } = this;
        if (leading === undefined)
            return;
        const key = groupOf(holding);
        const lead = leading.get(key);
        if (lead === undefined || holding.expiresAtMs >= lead.expiresAtMs) {
            leading.delete(key);
            leading.set(key, holding);
        }
        else if (lead === before)
            this.leading = undefined;
    }
    forget(gone) {
        if (this.latest === gone)
            this.latest = undefined;
        if (this.leading?.get(groupOf(gone)) === gone)
            this.leading = undefined;
    }
}
class AddressState extends OneOrMany {
    key;
    written = new WrittenEntries();
    unsure = false;
    wide = false;
    #crowd = undefined;
    constructor(key) {
        super();
        this.key = key;
    }
    keyOf({ name, table, segment }) {
        return `${name}|${table}|${segment.key}`;
    }
    set(holding) {
        const before = super.set(holding);
        if (this.#crowd === undefined && this.size <= FEW)
            return before;
        this.#crowd ??= new Crowd();
        this.#crowd.note(holding, before);
        return before;
    }
    delete(like) {
        const gone = this.get(like);
        super.delete(like);
        if (gone !== undefined)
            this.#crowd?.forget(gone);
    }
    leading() {
        if (this.#crowd === undefined)
            return this.values();
        this.#crowd.leading ??= leadersOf(this.values());
        return [...this.#crowd.leading.values()];
    }
    ofName(name) {
        if (this.#crowd === undefined)
            return this.values().filter((one) => one.name === name);
        return this.leading().flatMap((lead) => this.get({ ...lead, name }) ?? []);
    }
    latestForAll(nowMs) {
        const isLive = ({ expiresAtMs }) => expiresAtMs > nowMs;
        const latest = this.#crowd?.latest;
        if (latest !== undefined && isLive(latest))
            return latest;
        return this.values().findLast((holding) => isForAll(holding) && isLive(holding));
    }
}
function hold(state, wanted) {
    const known = state.get(wanted);
    const isLonger = known !== undefined && known.expiresAtMs > wanted.expiresAtMs;
    const holding = isLonger ? { ...wanted, expiresAtMs: known.expiresAtMs } : wanted;
    const { tcp, udp } = wanted.segment.pairs;
    state.wide ||= tcp.kind === 'allBut' || udp.kind === 'allBut';
    return { holding, replaced: state.set(holding) };
}
function sameEntry(a, b) {
    return a.expiresAtMs === b.expiresAtMs && a.rule === b.rule && a.name === b.name;
}
function written(table, entry) {
    const { protocol, port, expiresAtMs, rule, name } = entry;
    return { table, protocol, port, expiresAtMs, rule, name };
}
function claimOf({ segment, name, expiresAtMs }) {
    return { pairs: segment.pairs, rule: segment.rule, name, expiresAtMs };
}
function wantedEntries(state, nowMs) {
    const claims = new Map();
    for (const holding of state.leading()) {
        if (holding.expiresAtMs <= nowMs)
            continue;
        const mine = claims.get(holding.table) ?? [];
        mine.push(claimOf(holding));
        claims.set(holding.table, mine);
    }
    return [...claims].flatMap(([table, mine]) => grantEntries(mine).map((entry) => written(table, entry)));
}
function kernelKey(state, { table, protocol, port }) {
    const address = addressOfKey(state.key);
    const isV6Icmp = protocol === 'icmp' && !isIPv4(address);
    const proto = isV6Icmp ? PROTOCOL_NUMBERS.icmpv6 : PROTOCOL_NUMBERS[protocol];
    const { scope, kind } = TABLES[table];
    return { scope, kind, proto, port, address };
}
function update(state, wanted) {
    const { rule, name, expiresAtMs: expiresMs } = wanted;
    return grantUpdate(kernelKey(state, wanted), { expiresMs, rule, name });
}
function settleNarrow(state, holding, nowMs) {
    const writes = [];
    let opens = false;
    for (const entry of grantEntries([claimOf(holding)])) {
        const wanted = written(holding.table, entry);
        const have = state.written.get(wanted);
        if (have !== undefined && have.expiresAtMs > entry.expiresAtMs)
            continue;
        if (have !== undefined && sameEntry(have, entry))
            continue;
        if ((have?.expiresAtMs ?? 0) <= nowMs + SETTLED_MS)
            opens = true;
        state.written.set(wanted);
        writes.push(update(state, wanted));
    }
    return { writes, opens };
}
function settle(state, nowMs) {
    const writes = [];
    let opens = false;
    const wanted = wantedEntries(state, nowMs);
    const stale = new Set(state.written.values());
    for (const one of wanted) {
        const have = state.written.get(one);
        if (have !== undefined)
            stale.delete(have);
        if (!state.unsure && have !== undefined && sameEntry(have, one))
            continue;
        if (one.expiresAtMs > 0 && (have?.expiresAtMs ?? 0) <= nowMs + SETTLED_MS)
            opens = true;
        state.written.set(one);
        writes.push(update(state, one));
    }
    for (const have of stale) {
        state.written.delete(have);
        writes.push(grantDelete(kernelKey(state, have)));
    }
    state.unsure = false;
    return { writes, opens };
}

;// CONCATENATED MODULE: ./build/ts/core/recently-used.js
const SHARE = 16;
class RecentlyUsed {
    #values = new Map();
    #limit;
    #onForgotten;
    #uses = 0;
    constructor(limit, onForgotten = () => undefined) {
        this.#limit = limit;
        this.#onForgotten = onForgotten;
    }
    get size() {
        return this.#values.size;
    }
    get(key) {
        return this.#values.get(key);
    }
    use(key) {
        const value = this.#values.get(key);
        if (value !== undefined)
            value.used = ++this.#uses;
        return value;
    }
    set(key, value) {
        value.used = ++this.#uses;
        this.#values.set(key, value);
        if (this.#values.size > this.#limit)
            this.#makeRoom();
    }
    delete(key) {
        this.#values.delete(key);
    }
    entries() {
        return this.#values.entries();
    }
    latestFirst() {
        return [...this.#values.values()].sort((one, other) => other.used - one.used);
    }
    #makeRoom() {
        const going = this.#values.size - (this.#limit - Math.floor(this.#limit / SHARE));
        const uses = Float64Array.from(this.#values.values(), ({ used }) => used).sort();
        const last = uses[going - 1] ?? 0;
        for (const [key, value] of this.#values) {
            if (value.used > last)
                continue;
            this.#values.delete(key);
            this.#onForgotten(value);
        }
    }
}

;// CONCATENATED MODULE: ./build/ts/core/dns/granted-names.js

const MAX_NAMES = 65_536;
const NONE = [];
class GrantedNames {
    #byText;
    #byId = new Map();
    #last;
    constructor(last = 0, maxNames = MAX_NAMES) {
        this.#last = last;
        this.#byText = new RecentlyUsed(maxNames, ({ id }) => this.#byId.delete(id));
    }
    of(text) {
        const known = this.#byText.use(text);
        if (known !== undefined)
            return known;
        const name = { id: ++this.#last, text, held: NONE, used: 0 };
        this.#byId.set(name.id, name);
        this.#byText.set(text, name);
        return name;
    }
    get(id) {
        return this.#byId.get(id);
    }
    heldBy(text) {
        return this.#byText.get(text)?.held ?? NONE;
    }
    holding() {
        const holding = this.#byText.latestFirst().filter(({ held }) => held.length > 0);
        return holding.map(({ text }) => text);
    }
}

;// CONCATENATED MODULE: ./build/ts/core/dns/segment.js

const MAX_INTERNED = 16_384;
const pairSets = new Map();
function interned(key, pairs) {
    const known = pairSets.get(key);
    if (known !== undefined)
        return known;
    if (pairSets.size >= MAX_INTERNED)
        pairSets.clear();
    pairSets.set(key, pairs);
    return pairs;
}
function segment(parts) {
    const { tcp, udp, icmp } = parts.pairs;
    const ports = (set) => `${set.kind === 'some' ? '' : '!'}${set.ports.join()}`;
    const key = `${parts.kind}|${parts.rule}|${ports(tcp)}|${ports(udp)}|${icmp ? 'i' : ''}`;
    return { ...parts, pairs: interned(key, parts.pairs), key };
}
function pairsOfSegments(segments) {
    return segments.reduce((sum, item) => union(sum, item.pairs), emptyPairs());
}
function withoutPairs(segments, pairs) {
    if (isEmpty(pairs))
        return segments;
    return segments.flatMap((item) => {
        if (item.kind === 'runner' || isEmpty(intersect(item.pairs, pairs)))
            return [item];
        const rest = subtract(item.pairs, pairs);
        return isEmpty(rest) ? [] : [segment({ ...item, pairs: rest })];
    });
}

;// CONCATENATED MODULE: ./build/ts/core/dns/taken-over.js


function taken_over_kindOf(table) {
    return table === 'denial' ? 'user' : table;
}
function taken_over_pairsOf(entry, entries) {
    const { table, protocol, port } = entry;
    if (protocol === 'icmp')
        return { ...emptyPairs(), icmp: true };
    if (port > 0)
        return { ...emptyPairs(), [protocol]: { kind: 'some', ports: [port] } };
    const ports = entries
        .filter((one) => one.table === table && one.protocol === protocol && one.port > 0)
        .map((one) => one.port);
    return { ...emptyPairs(), [protocol]: { kind: 'allBut', ports: ports.sort((a, b) => a - b) } };
}
function holdingsOf(entries, nowMs) {
    const live = entries.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    return live.map((entry) => {
        const { table, expiresAtMs, rule, name } = entry;
        const pairs = taken_over_pairsOf(entry, entries);
        const of = segment({ kind: taken_over_kindOf(table), pairs, rule, private: false });
        return { table, name, expiresAtMs, segment: of };
    });
}

;// CONCATENATED MODULE: ./build/ts/core/dns/grants.js






const MAX_ADDRESSES_OF_A_NAME = 64;
function wholeSecond(ms) {
    return Math.ceil(ms / 1000) * 1000;
}
function collect(parts) {
    const writes = [];
    let opens = false;
    for (const part of parts) {
        writes.push(...part.writes);
        opens ||= part.opens;
    }
    return { writes, opens };
}
class Grants {
    #names;
    #addresses = new Map();
    #evicted = 0;
    constructor(lastName = 0) {
        this.#names = new GrantedNames(lastName);
    }
    get evicted() {
        return this.#evicted;
    }
    get size() {
        return this.#addresses.size;
    }
    nameOf(id) {
        return this.#names.get(id)?.text;
    }
    grant(request) {
        const { nowMs } = request;
        const name = this.#names.of(request.name);
        const expiresAtMs = wholeSecond(request.expiresAtMs);
        const changes = [];
        const answered = [];
        for (const { address, grants, denials } of request.grants) {
            const state = this.#stateOf(addressKey(address));
            const take = (table, segment) => {
                const wanted = { table, segment, name: name.id, expiresAtMs };
                const { holding, replaced } = hold(state, wanted);
                changes.push({ state, holding, replaced });
            };
            for (const segment of grants)
                take(segment.kind, segment);
            for (const segment of denials)
                take('denial', segment);
            if (grants.length > 0)
                answered.push(state);
        }
        const lost = this.#noteAnswered(name, answered);
        for (const state of lost)
            changes.push(...letGo(state, name.id));
        const { writes, opens } = this.#writesOf(changes, nowMs);
        const undo = (laterMs) => this.#undo(name, changes, laterMs);
        return { writes, opens, states: changes.map(({ state }) => state), undo };
    }
    #writesOf(changes, nowMs) {
        const isNarrow = ({ state, holding }) => holding && !state.wide && !state.unsure;
        if (!changes.every(isNarrow))
            return this.#write(changes.map(({ state }) => state), nowMs);
        return collect(changes.map(({ state, holding }) => holding === undefined ? { writes: [], opens: false } : settleNarrow(state, holding, nowMs)));
    }
    #stateOf(key) {
        const known = this.#addresses.get(key);
        if (known !== undefined)
            return known;
        const state = new AddressState(key);
        this.#addresses.set(key, state);
        return state;
    }
    #noteAnswered(name, answered) {
        const latest = [...new Set(answered.toReversed())].reverse();
        const held = [...name.held.filter((state) => !latest.includes(state)), ...latest];
        const lost = held.slice(0, -MAX_ADDRESSES_OF_A_NAME);
        name.held = held.slice(-MAX_ADDRESSES_OF_A_NAME);
        this.#evicted += lost.length;
        return lost;
    }
    #undo(name, changes, nowMs) {
        for (const { state, holding, replaced } of changes.toReversed()) {
            if (replaced !== undefined)
                state.set(replaced);
            else if (holding !== undefined)
                state.delete(holding);
            state.unsure = true;
        }
        name.held = name.held.filter((state) => isHeldBy(state, name.id));
        return this.#write(changes.map(({ state }) => state), nowMs).writes;
    }
    #write(states, nowMs) {
        return collect([...new Set(states)].map((state) => {
            const change = settle(state, nowMs);
            if (state.size === 0 && state.written.size === 0) {
                this.#addresses.delete(state.key);
            }
            return change;
        }));
    }
    takeOver(given, nowMs) {
        const states = new Set();
        for (const { key, value } of given) {
            const table = tableOf(key.scope, key.kind);
            const protocol = protocolOf(key.proto);
            if (table === undefined || protocol === undefined)
                continue;
            const state = this.#stateOf(addressKey(key.address));
            const { expiresMs: expiresAtMs, rule, name } = value;
            state.written.set({ table, protocol, port: key.port, expiresAtMs, rule, name });
            states.add(state);
        }
        for (const state of states) {
            for (const holding of holdingsOf(state.written.values(), nowMs))
                hold(state, holding);
        }
        return this.#write(states, nowMs).writes;
    }
    sweep(nowMs) {
        const touched = [];
        for (const state of this.#addresses.values()) {
            const ended = state.values().filter(({ expiresAtMs }) => expiresAtMs <= nowMs);
            if (ended.length === 0)
                continue;
            for (const holding of ended)
                state.delete(holding);
            const live = new Set(state
                .values()
                .filter(opens)
                .map(({ name }) => name));
            for (const { name } of ended)
                if (!live.has(name))
                    this.#forget(name, state);
            touched.push(state);
        }
        return this.#write(touched, nowMs).writes;
    }
    #forget(id, state) {
        const name = this.#names.get(id);
        if (name !== undefined)
            name.held = name.held.filter((one) => one !== state);
    }
    live(table, address, protocol, port, nowMs) {
        const holdings = this.#addresses.get(addressKey(address))?.leading() ?? [];
        const found = holdings.findLast((holding) => holding.table === table &&
            holding.expiresAtMs > nowMs &&
            has(holding.segment.pairs, protocol, port));
        return found && { name: this.nameOf(found.name), rule: found.segment.rule };
    }
    latestName(address, nowMs) {
        const latest = this.#addresses.get(addressKey(address))?.latestForAll(nowMs);
        return latest && this.nameOf(latest.name);
    }
    holds(name, addresses) {
        const held = this.#names.heldBy(name);
        return addresses.every((address) => held.some(({ key }) => key === addressKey(address)));
    }
    grantedNames() {
        return this.#names.holding();
    }
}
function opens({ table }) {
    return table !== 'denial';
}
function isHeldBy(state, name) {
    return state.ofName(name).some(opens);
}
function letGo(state, name) {
    const gone = state.ofName(name).filter(opens);
    for (const holding of gone)
        state.delete(holding);
    return gone.map((replaced) => ({ state, holding: undefined, replaced }));
}

;// CONCATENATED MODULE: ./build/ts/core/dns/rdata.js



const SVC_MANDATORY = 0;
const SVC_STRIPPED = new Set([4, 5, 6]);
function joined(parts) {
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
        bytes.set(part, at);
        at += part.length;
    }
    return bytes;
}
function expandedName(message, at, end) {
    const { name, next } = readName(message, at);
    if (next > end)
        throw new DnsDecodeError('record', 'a name runs past its record');
    return { bytes: encodeName(name), next };
}
function expanded(message, span) {
    const parts = [message.slice(span.at, span.at + span.before)];
    let at = span.at + span.before;
    for (let count = 0; count < span.names; count++) {
        if (at >= span.end)
            throw new DnsDecodeError('record', 'a record is too short for its type');
        const name = expandedName(message, at, span.end);
        parts.push(name.bytes);
        at = name.next;
    }
    if (at + span.after !== span.end) {
        throw new DnsDecodeError('record', 'a record is not as long as its type says');
    }
    parts.push(message.slice(at, span.end));
    return joined(parts);
}
function uint16(bytes, at) {
    return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
function strippedMandatory(value) {
    const kept = [];
    for (let at = 0; at + 1 < value.length; at += 2) {
        if (!SVC_STRIPPED.has(uint16(value, at)))
            kept.push(value.slice(at, at + 2));
    }
    return kept.length === 0 ? undefined : joined(kept);
}
function parameter(key, value) {
    const head = Uint8Array.of(key >> 8, key & 0xff, value.length >> 8, value.length & 0xff);
    return joined([head, value]);
}
function strippedService(message, start, end) {
    if (start + 3 > end)
        throw new DnsDecodeError('record', 'a service record is too short');
    const target = expandedName(message, start + 2, end);
    const parts = [message.slice(start, start + 2), target.bytes];
    let at = target.next;
    while (at < end) {
        const key = uint16(message, at);
        const size = uint16(message, at + 2);
        if (at + 4 + size > end)
            throw new DnsDecodeError('record', 'a service parameter is cut off');
        const value = message.slice(at + 4, at + 4 + size);
        const kept = key === SVC_MANDATORY ? strippedMandatory(value) : value;
        if (kept !== undefined && !SVC_STRIPPED.has(key))
            parts.push(parameter(key, kept));
        at += 4 + size;
    }
    return joined(parts);
}
function checkedText(rdata) {
    let at = 0;
    while (at < rdata.length)
        at += 1 + (rdata[at] ?? 0);
    if (at !== rdata.length || at === 0)
        throw new DnsDecodeError('record', 'a text is cut off');
    return rdata;
}
function addressData(message, start, end, size) {
    if (end - start !== size)
        throw new DnsDecodeError('record', 'an address of the wrong length');
    const address = new Uint8Array(16);
    if (size === 4)
        address.fill(0xff, 10, 12);
    address.set(message.subarray(start, end), 16 - size);
    return { kind: 'address', address };
}
function decodeRdata(message, type, start, end) {
    const names = (before, count, after) => ({
        kind: 'raw',
        rdata: expanded(message, { at: start, end, before, names: count, after }),
    });
    switch (type) {
        case TYPE.A:
            return addressData(message, start, end, 4);
        case TYPE.AAAA:
            return addressData(message, start, end, 16);
        case TYPE.CNAME: {
            const { name, next } = readName(message, start);
            if (next !== end)
                throw new DnsDecodeError('record', 'an alias does not fill its record');
            return { kind: 'alias', target: name };
        }
        case TYPE.NS:
        case TYPE.PTR:
            return names(0, 1, 0);
        case TYPE.MX:
            return names(2, 1, 0);
        case TYPE.SRV:
            return names(6, 1, 0);
        case TYPE.SOA:
            return names(0, 2, 20);
        case TYPE.TXT:
            return { kind: 'raw', rdata: checkedText(message.slice(start, end)) };
        case TYPE.SVCB:
        case TYPE.HTTPS:
            return { kind: 'raw', rdata: strippedService(message, start, end) };
        default:
            return { kind: 'other' };
    }
}

;// CONCATENATED MODULE: ./build/ts/core/dns/message.js




function readUint16(bytes, at) {
    const high = bytes[at];
    const low = bytes[at + 1];
    if (high === undefined || low === undefined)
        throw new DnsDecodeError('short', 'cut off');
    return (high << 8) | low;
}
function readUint32(bytes, at) {
    return readUint16(bytes, at) * 0x10000 + readUint16(bytes, at + 2);
}
function decodeHeader(bytes) {
    if (bytes.length < 12)
        throw new DnsDecodeError('short', 'shorter than a DNS header');
    const flags = readUint16(bytes, 2);
    return {
        id: readUint16(bytes, 0),
        flags,
        response: (flags & FLAG.RESPONSE) !== 0,
        opcode: (flags & FLAG.OPCODE) >> 11,
        truncated: (flags & FLAG.TRUNCATED) !== 0,
        rcode: flags & FLAG.RCODE,
        questions: readUint16(bytes, 4),
        answers: readUint16(bytes, 6),
        authorities: readUint16(bytes, 8),
        additionals: readUint16(bytes, 10),
    };
}
function decodeQuestion(bytes) {
    const { name, next } = readName(bytes, 12);
    const question = {
        name,
        type: readUint16(bytes, next),
        class: readUint16(bytes, next + 2),
        raw: bytes.slice(12, next + 4),
    };
    return { question, next: next + 4 };
}
function decodeTtl(bytes, at) {
    const ttl = readUint32(bytes, at);
    return ttl >= 0x80000000 ? 0 : ttl;
}
function decodeOpt(bytes, at) {
    if (bytes[at] !== 0)
        throw new DnsDecodeError('opt', 'an OPT record is not at the root');
    const ttl = readUint32(bytes, at + 5);
    return {
        udpSize: readUint16(bytes, at + 3),
        extendedRcode: Math.floor(ttl / 0x1000000),
        version: (ttl >>> 16) & 0xff,
    };
}
function decodeRecordHead(bytes, at) {
    const { name, next } = readName(bytes, at);
    const start = next + 10;
    const end = start + readUint16(bytes, next + 8);
    if (end > bytes.length)
        throw new DnsDecodeError('record', 'a record runs past the end');
    const ttl = decodeTtl(bytes, next + 4);
    return {
        name,
        type: readUint16(bytes, next),
        class: readUint16(bytes, next + 2),
        ttl,
        start,
        end,
    };
}
function decodeSection(bytes, count, from) {
    const records = [];
    let at = from;
    for (let index = 0; index < count; index++) {
        const { name, type, class: of, ttl, start, end } = decodeRecordHead(bytes, at);
        records.push({ name, type, class: of, ttl, data: decodeRdata(bytes, type, start, end) });
        at = end;
    }
    return { records, next: at };
}
function decodeAdditionals(bytes, count, from) {
    let opt;
    let at = from;
    for (let index = 0; index < count; index++) {
        const { type, end } = decodeRecordHead(bytes, at);
        if (type === TYPE.OPT) {
            if (opt !== undefined)
                throw new DnsDecodeError('opt', 'two OPT records');
            opt = decodeOpt(bytes, at);
        }
        at = end;
    }
    if (at !== bytes.length)
        throw new DnsDecodeError('trailing', 'bytes behind the last record');
    return opt;
}
function decodeSections(bytes, header, start) {
    const answers = decodeSection(bytes, header.answers, start);
    const authorities = decodeSection(bytes, header.authorities, answers.next);
    const opt = decodeAdditionals(bytes, header.additionals, authorities.next);
    return { answers: answers.records, authorities: authorities.records, opt };
}
function decodeQuery(bytes) {
    const header = decodeHeader(bytes);
    if (header.response || header.questions !== 1) {
        throw new DnsDecodeError('question', 'not exactly one question');
    }
    if (header.answers !== 0 || header.authorities !== 0) {
        throw new DnsDecodeError('record', 'a query with records');
    }
    const { question, next } = decodeQuestion(bytes);
    const { opt } = decodeSections(bytes, header, next);
    return { id: header.id, flags: header.flags, question, opt };
}
function negativeTtlOf(authorities) {
    const soa = authorities.find((record) => record.type === TYPE.SOA && record.class === CLASS_IN);
    if (soa === undefined || soa.data.kind !== 'raw')
        return undefined;
    return Math.min(soa.ttl, decodeTtl(soa.data.rdata, soa.data.rdata.length - 4));
}
function decodeResponse(bytes) {
    const header = decodeHeader(bytes);
    if (!header.response || header.questions !== 1) {
        throw new DnsDecodeError('question', 'not a response to one question');
    }
    const { question, next } = decodeQuestion(bytes);
    if (header.truncated) {
        const { id, rcode } = header;
        return { id, rcode, truncated: true, question, answers: [], negativeTtl: undefined };
    }
    const { answers, authorities, opt } = decodeSections(bytes, header, next);
    return {
        id: header.id,
        rcode: header.rcode | ((opt?.extendedRcode ?? 0) << 4),
        truncated: false,
        question,
        answers,
        negativeTtl: negativeTtlOf(authorities),
    };
}

;// CONCATENATED MODULE: ./build/ts/core/dns/resolutions.js



const MAX_ADDRESSES = 65_536;
const MAX_NAMES_OF_AN_ADDRESS = 8;
const DAY_MS = 24 * 60 * 60 * 1000;
class SeenNames extends OneOrMany {
    used = 0;
    keyOf({ name }) {
        return name;
    }
}
class Resolutions {
    #addresses;
    #evicted = 0;
    constructor(maxAddresses = MAX_ADDRESSES) {
        this.#addresses = new RecentlyUsed(maxAddresses, () => {
            this.#evicted++;
        });
    }
    get evicted() {
        return this.#evicted;
    }
    get size() {
        return this.#addresses.size;
    }
    note({ name, addresses, atMs, runnerOnly }) {
        for (const address of addresses) {
            const key = addressKey(address);
            const known = this.#addresses.use(key);
            const names = known ?? new SeenNames();
            names.set({ name, atMs: Math.floor(atMs), runnerOnly });
            const oldest = names.size > MAX_NAMES_OF_AN_ADDRESS ? names.oldest() : undefined;
            if (oldest !== undefined)
                names.delete(oldest);
            if (known === undefined)
                this.#addresses.set(key, names);
        }
    }
    namesFor(address, nowMs, forRunner = false) {
        const names = this.#addresses.get(addressKey(address))?.values() ?? [];
        return names
            .filter((seen) => nowMs - seen.atMs <= DAY_MS && (forRunner || !seen.runnerOnly))
            .map(({ name }) => name)
            .reverse();
    }
    isLatest(name, addresses) {
        return addresses.every((one) => this.#addresses.get(addressKey(one))?.latest()?.name === name);
    }
    sweep(nowMs) {
        for (const [key, names] of this.#addresses.entries()) {
            for (const seen of names.values())
                if (nowMs - seen.atMs > DAY_MS)
                    names.delete(seen);
            if (names.size === 0)
                this.#addresses.delete(key);
        }
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/dns-counters.js
function zeroCounters() {
    return {
        queries: 0,
        answered: 0,
        refused: 0,
        unowned: 0,
        undecodable: 0,
        formerr: 0,
        notimp: 0,
        servfail: 0,
        overloaded: 0,
        synthetic: 0,
        reverseAnswered: 0,
        reverseUnknown: 0,
        local: 0,
        cacheHits: 0,
        shared: 0,
    };
}

;// CONCATENATED MODULE: ./build/ts/daemon/forward-unchanged.js


function readable(reply) {
    try {
        return decodeResponse(reply);
    }
    catch {
        return undefined;
    }
}
function addressesOf(response) {
    return response.answers.flatMap(({ data }) => (data.kind === 'address' ? [data.address] : []));
}
async function keepAsEnforce(known, response, judge) {
    if (known.decision.kind !== 'answer') {
        judge.noteAnswer(known, addressesOf(response));
        return undefined;
    }
    const judged = judge.judge(known, response, 0);
    if (judged.kind !== 'answer')
        return undefined;
    await judge.admit(known, judged).catch(() => undefined);
    return judged.emptied;
}
async function forwardUnchanged(asked, upstreams, judge) {
    const reply = withId(await upstreams.forward(asked.message, asked.client.proto), asked.query.id);
    const response = readable(reply);
    if (response === undefined || response.truncated)
        return { reply, emptied: undefined };
    return { reply, emptied: await keepAsEnforce(asked.known, response, judge) };
}

;// CONCATENATED MODULE: ./build/ts/daemon/grant-keeper.js
const MAX_BATCH = 4096;
const KERNEL_WORD_MS = 1500;
class GrantKeeper {
    #grants;
    #sink;
    #clock;
    #next;
    #opening;
    #unacknowledged = new Set();
    #refused = 0;
    constructor(grants, sink, clock) {
        this.#grants = grants;
        this.#sink = sink;
        this.#clock = clock;
    }
    get refused() {
        return this.#refused;
    }
    async open(request) {
        const change = this.#grants.grant(request);
        if (change.writes.length > 0)
            this.#add(change);
        if (this.#opening === undefined)
            return false;
        const refused = await Promise.race([this.#opening.done, this.#opening.late]);
        if (refused === undefined) {
            if (!standsOn(change, this.#unacknowledged))
                return false;
            throw new Error('the kernel has not taken a grant in time');
        }
        if (refused.size > 0 && standsOn(change, refused)) {
            throw new Error('the kernel refused a grant');
        }
        return change.opens;
    }
    #add(change) {
        const batch = this.#next ?? this.#newBatch();
        if (change.opens) {
            this.#opening = batch;
            this.#unacknowledged.add(change);
        }
        batch.changes.push(change);
        for (const write of change.writes)
            batch.writes.push(write);
        if (batch.writes.length >= MAX_BATCH)
            batch.send();
    }
    #newBatch() {
        const sent = Promise.withResolvers();
        const changes = [];
        const writes = [];
        const before = this.#opening?.done;
        const done = sent.promise.then(() => this.#apply(changes, writes, before));
        const send = () => {
            if (this.#next === batch)
                this.#next = undefined;
            sent.resolve();
        };
        const late = this.#clock.after(KERNEL_WORD_MS);
        const batch = { changes, writes, done, late, send };
        void done.then(() => {
            for (const change of changes)
                this.#unacknowledged.delete(change);
            if (this.#opening === batch)
                this.#opening = undefined;
        });
        this.#next = batch;
        this.#clock.soon(send);
        return batch;
    }
    async #apply(changes, writes, before) {
        const refused = new Set();
        try {
            await this.#sink.apply(writes);
        }
        catch {
            for (const change of changes) {
                if (changes.length > 1 && (await this.#isTaken(change)))
                    continue;
                refused.add(change);
                this.#refused++;
                this.#applyQuietly(change.undo(this.#clock.nowMs()));
            }
        }
        for (const change of (await before) ?? [])
            refused.add(change);
        return refused;
    }
    async #isTaken(change) {
        try {
            await this.#sink.apply(change.writes);
            return true;
        }
        catch {
            return false;
        }
    }
    #applyQuietly(writes) {
        for (let at = 0; at < writes.length; at += MAX_BATCH) {
            this.#sink.apply(writes.slice(at, at + MAX_BATCH)).catch(() => {
                this.#refused++;
            });
        }
    }
    takeOver(given) {
        this.#applyQuietly(this.#grants.takeOver(given, this.#clock.nowMs()));
    }
    sweep() {
        this.#applyQuietly(this.#grants.sweep(this.#clock.nowMs()));
    }
}
function standsOn(change, others) {
    return [...others].some((other) => other.states.some((state) => change.states.includes(state)));
}

;// CONCATENATED MODULE: ./build/ts/daemon/local-answers.js





const TTL_SECONDS = 60;
const CANARY = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 254);
const CANARY_SEGMENT = segment({
    kind: 'user',
    pairs: { ...emptyPairs(), tcp: { kind: 'some', ports: [443] } },
    rule: 0,
    private: false,
});
function addressRecord(name, address) {
    const type = isIPv4(address) ? TYPE.A : TYPE.AAAA;
    return { name, type, class: CLASS_IN, ttl: TTL_SECONDS, data: { kind: 'address', address } };
}
function localRecords(name, type, addresses) {
    return addresses
        .map((address) => addressRecord(name, address))
        .filter((record) => record.type === type);
}
function reverseRecord(reverseName, name) {
    const data = { kind: 'raw', rdata: encodeName(name) };
    return { name: reverseName, type: TYPE.PTR, class: CLASS_IN, ttl: TTL_SECONDS, data };
}
function canaryRecords(name, type) {
    return localRecords(name, type, [CANARY]);
}
function canaryGrant(name, nowMs, lifetimeMs) {
    const grants = [{ address: CANARY, grants: [CANARY_SEGMENT], denials: [] }];
    return { name, grants, expiresAtMs: nowMs + lifetimeMs, nowMs };
}

;// CONCATENATED MODULE: ./build/ts/core/dns/answer-cache.js


const MAX_ENTRIES = 8192;
const MAX_SECONDS = 24 * 60 * 60;
const MAX_WEIGHT = 1024;
function heldResponse(response, receivedAtMs) {
    const expiresAtMs = receivedAtMs + cacheSeconds(response) * 1000;
    return { response, receivedAtMs, expiresAtMs };
}
function answer_cache_weightOf(response) {
    return response.answers.reduce((sum, { data }) => {
        return sum + 32 + (data.kind === 'raw' ? data.rdata.length : 16);
    }, 0);
}
function cacheSeconds(response) {
    if (response.truncated || answer_cache_weightOf(response) > MAX_WEIGHT)
        return 0;
    const isNegative = response.answers.length === 0 || response.rcode === RCODE.NXDOMAIN;
    if (response.rcode !== RCODE.NOERROR && response.rcode !== RCODE.NXDOMAIN)
        return 0;
    if (isNegative)
        return Math.min(MAX_SECONDS, response.negativeTtl ?? 0);
    const least = response.answers.reduce((seconds, { ttl }) => Math.min(seconds, ttl), MAX_SECONDS);
    const isAnswered = response.answers.some(({ type }) => type === response.question.type);
    return isAnswered ? least : Math.min(least, response.negativeTtl ?? least);
}
class AnswerCache {
    #entries;
    constructor(maxEntries = MAX_ENTRIES) {
        this.#entries = new RecentlyUsed(maxEntries);
    }
    get size() {
        return this.#entries.size;
    }
    get(name, type, nowMs) {
        const key = `${type} ${name}`;
        const entry = this.#entries.use(key);
        if (entry === undefined || entry.expiresAtMs > nowMs)
            return entry;
        this.#entries.delete(key);
        return undefined;
    }
    set(name, type, held) {
        if (held.expiresAtMs > held.receivedAtMs) {
            this.#entries.set(`${type} ${name}`, { ...held, used: 0 });
        }
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/lookups.js

class Lookups {
    #cache = new AnswerCache();
    #asking = new Map();
    #upstreams;
    #clock;
    #counters;
    constructor(upstreams, clock, counters) {
        this.#upstreams = upstreams;
        this.#clock = clock;
        this.#counters = counters;
    }
    ask(name, type) {
        const held = this.#cache.get(name, type, this.#clock.nowMs());
        if (held !== undefined) {
            this.#counters.cacheHits++;
            return Promise.resolve(held);
        }
        const key = `${type} ${name}`;
        const asking = this.#asking.get(key);
        if (asking !== undefined) {
            this.#counters.shared++;
            return asking;
        }
        return this.#share(name, type);
    }
    askAgain(name, type) {
        return this.#asking.get(`${type} ${name}`) ?? this.#share(name, type);
    }
    #share(name, type) {
        const key = `${type} ${name}`;
        const asked = this.#askAfresh(name, type, key);
        this.#asking.set(key, asked);
        return asked;
    }
    async #askAfresh(name, type, key) {
        try {
            const response = await this.#upstreams.ask(name, type);
            const held = heldResponse(response, this.#clock.nowMs());
            this.#cache.set(name, type, held);
            return held;
        }
        finally {
            this.#asking.delete(key);
        }
    }
}

;// CONCATENATED MODULE: ./build/ts/core/dns/reverse-name.js
const V4_SUFFIX = '.in-addr.arpa';
const V6_SUFFIX = '.ip6.arpa';
function parseV4(labels) {
    if (labels.length !== 4)
        return undefined;
    const address = new Uint8Array(16);
    address.fill(0xff, 10, 12);
    for (const [index, label] of labels.entries()) {
        if (!/^(0|[1-9][0-9]{0,2})$/.test(label) || Number(label) > 255)
            return undefined;
        address[15 - index] = Number(label);
    }
    return address;
}
function parseV6(labels) {
    if (labels.length !== 32)
        return undefined;
    const address = new Uint8Array(16);
    for (const [index, label] of labels.entries()) {
        if (!/^[0-9a-f]$/.test(label))
            return undefined;
        const at = 15 - (index >> 1);
        const nibble = Number.parseInt(label, 16);
        address[at] = (address[at] ?? 0) | (index % 2 === 0 ? nibble : nibble << 4);
    }
    return address;
}
function parseReverseName(name) {
    if (name.endsWith(V4_SUFFIX))
        return parseV4(name.slice(0, -V4_SUFFIX.length).split('.'));
    if (name.endsWith(V6_SUFFIX))
        return parseV6(name.slice(0, -V6_SUFFIX.length).split('.'));
    return undefined;
}

;// CONCATENATED MODULE: ./build/ts/core/dns/decide-query.js



const LOCALHOST_V4 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1);
const LOCALHOST_V6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const SYNTHETIC_SUFFIX = 'cluster.local';
function canaryName(nonce) {
    return `${nonce}.cargowall.internal`.toLowerCase();
}
function decideProof(name, nonce) {
    if (!name.startsWith(nonce.toLowerCase()))
        return undefined;
    if (name === canaryName(nonce))
        return { kind: 'canary' };
    return name === `${nonce}.invalid`.toLowerCase() ? refuse('proof') : undefined;
}
function localAddresses(name, localNames) {
    if (name === 'localhost' || isBelow(name, 'localhost'))
        return [LOCALHOST_V4, LOCALHOST_V6];
    return localNames.get(name);
}
function usableSegments(segments, isRunner) {
    return segments.some((item) => item.kind !== 'runner' || isRunner);
}
function refuse(reason, rule = 0) {
    return { kind: 'refuse', reason, rule };
}
function decideByPolicy(asked, gate) {
    const { opinion, isRunner, learned } = asked;
    const { name } = asked.question;
    const isSynthetic = isBelow(name, SYNTHETIC_SUFFIX);
    if (isRunner && opinion.allow.some((item) => item.kind === 'runner')) {
        return { kind: 'answer', because: 'runner' };
    }
    if (opinion.deniesAll) {
        return isSynthetic ? { kind: 'nxdomain' } : refuse('denied by a rule', opinion.deny[0]?.rule);
    }
    if (usableSegments(opinion.allow, isRunner))
        return { kind: 'answer', because: 'rule' };
    if (usableSegments(learned, isRunner))
        return { kind: 'answer', because: 'learned' };
    if (gate.defaultAllow)
        return { kind: 'answer', because: 'default' };
    if (gate.searchDomains.some((suffix) => isBelow(name, suffix))) {
        return { kind: 'answer', because: 'search-domain' };
    }
    return isSynthetic ? { kind: 'nxdomain' } : refuse('not allowed');
}
function limitTypes(type, decision) {
    if (decision.kind !== 'answer' || TYPES_OF_EVERY_NAME.has(type))
        return decision;
    const byRule = decision.because === 'rule' || decision.because === 'runner';
    return byRule && TYPES_OF_ALLOWED_NAMES.has(type) ? decision : refuse('type');
}
function isAnsweredType(type) {
    return TYPES_OF_EVERY_NAME.has(type) || TYPES_OF_ALLOWED_NAMES.has(type) || type === TYPE.PTR;
}
function decideQuery(asked, gate) {
    const { name, type } = asked.question;
    if (asked.question.class !== CLASS_IN)
        return refuse('class');
    const proof = decideProof(name, gate.nonce);
    if (proof !== undefined)
        return proof;
    const addresses = localAddresses(name, gate.localNames);
    if (addresses !== undefined)
        return { kind: 'local', addresses };
    if (!isAnsweredType(type))
        return refuse('type');
    if (type === TYPE.PTR) {
        const address = parseReverseName(name);
        return address === undefined ? refuse('type') : { kind: 'reverse', address };
    }
    return limitTypes(type, decideByPolicy(asked, gate));
}

;// CONCATENATED MODULE: ./build/ts/core/dns/guard.js
const V4_GUARDED = [
    [[0], 8],
    [[10], 8],
    [[100, 64], 10],
    [[127], 8],
    [[168, 63, 129, 16], 32],
    [[169, 254], 16],
    [[172, 16], 12],
    [[192, 0, 0], 24],
    [[192, 168], 16],
    [[198, 18], 15],
    [[224], 3],
];
const V6_GUARDED = [
    [Array(16).fill(0), 127],
    [[0xfc], 7],
    [[0xfe, 0x80], 10],
    [[0xfe, 0xc0], 10],
    [[0xff], 8],
];
const V4_PRIVATE = [
    [[10], 8],
    [[172, 16], 12],
    [[192, 168], 16],
    [[100, 64], 10],
];
const V6_PRIVATE = [[[0xfc], 7]];
const V6_LINK_LOCAL = [[0xfe, 0x80], 10];
const V4_REMOVED = [
    [[0, 0, 0, 0], 32],
    [[127], 8],
    [[169, 254], 16],
];
const V6_REMOVED = [[Array(16).fill(0), 127], V6_LINK_LOCAL];
const V4_AT = 12;
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
const COMPATIBLE = Array(12).fill(0);
const NAT64 = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
const NAT64_LOCAL = [0, 0x64, 0xff, 0x9b, 0, 1];
const SIX_TO_FOUR = [0x20, 0x02];
function startsWith(bytes, head) {
    for (let index = 0; index < head.length; index++)
        if (bytes[index] !== head[index])
            return false;
    return true;
}
function inSpace(bytes, from, [head, length]) {
    const whole = length >> 3;
    for (let index = 0; index < whole; index++) {
        if (bytes[from + index] !== (head[index] ?? 0))
            return false;
    }
    const rest = length & 7;
    if (rest === 0)
        return true;
    const shift = 8 - rest;
    return (bytes[from + whole] ?? 0) >> shift === (head[whole] ?? 0) >> shift;
}
function inAny(bytes, spaces, from = 0) {
    for (const space of spaces)
        if (inSpace(bytes, from, space))
            return true;
    return false;
}
function carried(address) {
    if (startsWith(address, COMPATIBLE) || startsWith(address, NAT64))
        return address.subarray(12);
    if (startsWith(address, SIX_TO_FOUR))
        return address.subarray(2, 6);
    return undefined;
}
function carriedInLocalNat64(address) {
    if (!startsWith(address, NAT64_LOCAL))
        return [];
    const at = (...places) => Uint8Array.from(places, (i) => address[i] ?? 0);
    const last = at(12, 13, 14, 15);
    if (address.subarray(6, 12).every((byte) => byte === 0))
        return [last];
    return [at(6, 7, 9, 10), at(7, 9, 10, 11), at(9, 10, 11, 12), last];
}
function isMapped(address) {
    return startsWith(address, MAPPED);
}
function isGuarded(address, own) {
    if (own(address))
        return true;
    if (isMapped(address))
        return inAny(address, V4_GUARDED, V4_AT);
    if (inAny(address, V6_GUARDED))
        return true;
    const inner = carried(address);
    if (inner !== undefined && (inAny(inner, V4_GUARDED) || own(mapped(inner))))
        return true;
    return carriedInLocalNat64(address).some((v4) => inAny(v4, V4_GUARDED) || own(mapped(v4)));
}
function mapped(v4) {
    const address = new Uint8Array(16);
    address.fill(0xff, 10, 12);
    address.set(v4, 12);
    return address;
}
function isPrivate(address) {
    return isMapped(address) ? inAny(address, V4_PRIVATE, V4_AT) : inAny(address, V6_PRIVATE);
}
function isLinkLocal(address) {
    return inSpace(address, 0, V6_LINK_LOCAL);
}
function isRemoved(address, own) {
    if (own(address))
        return true;
    return isMapped(address) ? inAny(address, V4_REMOVED, V4_AT) : inAny(address, V6_REMOVED);
}

;// CONCATENATED MODULE: ./build/ts/core/dns/judge-answer.js



const MAX_HOPS = 16;
function followChain(question, answers) {
    const aliasOf = (name) => answers.find((record) => record.name === name && record.class === CLASS_IN && record.data.kind === 'alias');
    const names = [question.name];
    const aliases = [];
    let alias = aliasOf(question.name);
    while (alias !== undefined && alias.data.kind === 'alias') {
        if (names.includes(alias.data.target))
            return 'loop';
        if (aliases.length === MAX_HOPS)
            return 'too many hops';
        aliases.push(alias);
        names.push(alias.data.target);
        if (question.type === TYPE.CNAME)
            break;
        alias = aliasOf(alias.data.target);
    }
    return { names, aliases };
}
function finalRecords(question, chain, answers) {
    if (question.type === TYPE.CNAME)
        return [];
    const owner = chain.names.at(-1);
    return answers.filter((record) => record.class === CLASS_IN &&
        record.type === question.type &&
        record.name === owner &&
        record.data.kind !== 'other');
}
function expiry(question, used) {
    const { grantFloorMs, grantCapMs } = question.times;
    const seconds = used.reduce((least, record) => Math.min(least, record.ttl), Number.POSITIVE_INFINITY);
    const lifetime = Math.max(0, seconds - question.age) * 1000;
    return question.nowMs + Math.min(grantCapMs, Math.max(grantFloorMs, lifetime));
}
function isKept(question, address) {
    if (isRemoved(address, question.own))
        return false;
    return !question.searchDomainOnly || isPrivate(address);
}
function guardedSegments(question, address, segments) {
    if (!isGuarded(address, question.own))
        return segments;
    return isPrivate(address) ? segments.filter((item) => item.private) : [];
}
function walkHops(question, chain, expiresAtMs) {
    let allow = question.allow;
    const deny = [...question.deny];
    const learned = [];
    for (const hop of chain.names.slice(1)) {
        const opinion = question.opinion(hop);
        deny.push(...opinion.deny);
        allow = withoutPairs(allow, opinion.denied);
        if (allow.length > 0)
            learned.push({ name: hop, origin: question.name, segments: allow, expiresAtMs });
    }
    return { allow, deny, learned };
}
function grantsFor(question, path, addresses) {
    const all = addresses.map((address) => ({
        address,
        grants: guardedSegments(question, address, path.allow),
        denials: question.defaultAllow ? guardedSegments(question, address, path.deny) : [],
    }));
    return all.filter((item) => item.grants.length + item.denials.length > 0);
}
function judgeAnswer(question, response) {
    const usable = response.rcode === RCODE.NOERROR ? response.answers : [];
    const chain = followChain(question, usable);
    if (chain === 'loop' || chain === 'too many hops')
        return { kind: 'servfail', why: chain };
    const finals = finalRecords(question, chain, usable);
    const kept = finals.filter(({ data }) => data.kind !== 'address' || isKept(question, data.address));
    const addresses = kept.flatMap(({ data }) => (data.kind === 'address' ? [data.address] : []));
    const isEmptied = finals.length > 0 && kept.length === 0;
    const expiresAtMs = expiry(question, [...chain.aliases, ...kept]);
    const path = walkHops(question, chain, expiresAtMs);
    return {
        kind: 'answer',
        rcode: response.rcode,
        records: isEmptied ? [] : [...chain.aliases, ...kept],
        chain: chain.names,
        addresses,
        grants: grantsFor(question, path, addresses),
        learned: path.learned,
        expiresAtMs,
        emptied: isEmptied ? emptiedReason(question, finals) : undefined,
    };
}
function emptiedReason(question, finals) {
    const outside = finals.some(({ data }) => data.kind === 'address' && !isRemoved(data.address, question.own));
    return outside ? 'public addresses below a search domain' : 'guarded addresses only';
}

;// CONCATENATED MODULE: ./build/ts/core/dns/learned.js


const learned_MAX_NAMES = 16_384;
const MAX_ORIGINS = 8;
class Lessons extends RecentlyUsed {
    used = 0;
    constructor() {
        super(MAX_ORIGINS);
    }
}
class LearnedNames {
    #names;
    #forgotten = 0;
    constructor(maxNames = learned_MAX_NAMES) {
        this.#names = new RecentlyUsed(maxNames, () => {
            this.#forgotten++;
        });
    }
    get forgotten() {
        return this.#forgotten;
    }
    get size() {
        return this.#names.size;
    }
    learn(lesson) {
        const known = this.#names.use(lesson.name);
        const lessons = known ?? new Lessons();
        const before = lessons.get(lesson.origin);
        lessons.set(lesson.origin, {
            segments: lesson.segments,
            expiresAtMs: Math.max(lesson.expiresAtMs, before?.expiresAtMs ?? 0),
            used: 0,
        });
        if (known === undefined)
            this.#names.set(lesson.name, lessons);
    }
    segmentsOf(name, denied, nowMs) {
        const lessons = this.#names.get(name);
        if (lessons === undefined)
            return [];
        const live = lessons.latestFirst().filter((lesson) => lesson.expiresAtMs > nowMs);
        return withoutPairs(live.flatMap((lesson) => lesson.segments), denied);
    }
    sweep(nowMs) {
        for (const [name, lessons] of this.#names.entries()) {
            for (const [origin, lesson] of lessons.entries()) {
                if (lesson.expiresAtMs <= nowMs)
                    lessons.delete(origin);
            }
            if (lessons.size === 0)
                this.#names.delete(name);
        }
    }
}

// EXTERNAL MODULE: ./node_modules/tr46/index.js
var tr46 = __nccwpck_require__(552);
;// CONCATENATED MODULE: ./build/ts/core/policy/problem.js
class problem_Fault extends Error {
    at;
    found;
    expected;
    constructor(at, found, expected) {
        super(expected);
        this.at = at;
        this.found = found;
        this.expected = expected;
    }
    moved(offset) {
        return new problem_Fault(this.at + offset, this.found, this.expected);
    }
}
function errorAt(place, found, expected) {
    const what = found === '' ? 'found nothing' : `found ${JSON.stringify(found)}`;
    const { source, line, column } = place;
    return { source, line, column, found, expected, message: `${what}, expected ${expected}` };
}
function warningAt(place, found, message) {
    const { source, line, column } = place;
    return { source, line, column, found, expected: '', message };
}
function renderProblem(problem) {
    const { source, line, column, message } = problem;
    return `${source} line ${line} column ${column}: ${message}`;
}
const MAX_LINES = 50;
function firstLines(lines, what) {
    const rest = lines.length - MAX_LINES;
    return rest <= 0 ? lines : [...lines.slice(0, MAX_LINES), `${rest} more ${what} are not shown`];
}
function codePoints(text, units = text.length) {
    return [...text.slice(0, units)].length;
}

;// CONCATENATED MODULE: ./build/ts/core/policy/host-name.js


const DOTS = /[.\u3002\uff0e\uff61]/u;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/u;
const NOT_STD3 = /[\u2260\u226e\u226f]/u;
const NUMERIC = /^(?:\d+|0x[0-9a-f]*)$/u;
const UTS46 = { checkJoiners: true, transitionalProcessing: false };
const MAX_LABEL = 63;
const host_name_MAX_NAME = 253;
const MAX_LABELS = 127;
const NAME_EXPECTED = (/* unused pure expression or super */ null && (`a name of at most ${host_name_MAX_NAME} characters`));
const MAX_WRITTEN = 1000;
const LABEL_EXPECTED = 'a label of 1 to 63 letters, digits, "-" and "_" that neither starts nor ends with "-"';
const HABITS = (/* unused pure expression or super */ null && ([
    [/^xn--/iu, '; what stands behind "xn--" is no valid name: write its own letters'],
    [/^["']|["']$/u, '; an entry has no quotes'],
    [/^-$/u, '; entries are lines, without "- "'],
    [/\//u, '; an entry has no path'],
    [/@/u, '; an entry has no user'],
    [/;/u, '; ";" separates ports, a comma or a new line separates entries'],
    [/^!/u, '; what is denied goes with the blocked'],
]));
function host_name_splitLabels(text) {
    let at = 0;
    const labels = text.split(DOTS).map((label) => {
        const raw = { text: label, at };
        at += label.length + 1;
        return raw;
    });
    return labels.length > 1 && labels.at(-1)?.text === '' ? labels.slice(0, -1) : labels;
}
function isPlain(text) {
    const label = text.toLowerCase();
    return label.length <= MAX_LABEL && LABEL.test(label) && !label.startsWith('xn--');
}
function labelFault({ at, text }) {
    const [, hint = ''] = HABITS.find(([habit]) => habit.test(text)) ?? [];
    return new Fault(at, text, LABEL_EXPECTED + hint);
}
function host_name_canonicalLabel(raw) {
    if (raw.text === '')
        throw new Fault(raw.at, '', 'a label between the dots');
    if (raw.text.length > MAX_WRITTEN)
        throw labelFault(raw);
    if (isPlain(raw.text))
        return raw.text.toLowerCase();
    const label = toASCII(raw.text, UTS46);
    if (label === null || !LABEL.test(label) || NOT_STD3.test(toUnicode(raw.text, UTS46).domain)) {
        throw labelFault(raw);
    }
    if (label.length > MAX_LABEL)
        throw labelFault(raw);
    return label;
}
function host_name_checkCount(labels, text) {
    if (labels.length > MAX_LABELS)
        throw new Fault(0, text, NAME_EXPECTED);
}
function host_name_checkWhole(labels, text) {
    const name = labels.join('.');
    if (name.length > host_name_MAX_NAME) {
        throw new Fault(0, text, NAME_EXPECTED);
    }
    const literal = labels.filter((label) => !label.startsWith('*')).join('.');
    if (literal !== '' && toASCII(literal, { ...UTS46, checkBidi: true }) === null) {
        throw new Fault(0, text, 'a name that keeps to one writing direction (RFC 5893)');
    }
    if (NUMERIC.test(labels.at(-1) ?? '')) {
        throw new Fault(0, text, 'a plain dotted-decimal IPv4 address, or a name that ends in no number');
    }
}
function canonicalName(text) {
    const raw = host_name_splitLabels(text);
    host_name_checkCount(raw, text);
    const labels = raw.map(host_name_canonicalLabel);
    host_name_checkWhole(labels, text);
    return labels.join('.');
}

;// CONCATENATED MODULE: ./build/ts/core/policy/host-pattern.js


function isWildcard(label) {
    return label === '*' || label === '**';
}
function patternLabel(raw, before) {
    if (!isWildcard(raw.text)) {
        if (raw.text.includes('*')) {
            throw new Fault(raw.at, raw.text, 'a whole label, "*" or "**"; part of a label has no wildcard');
        }
        return canonicalLabel(raw);
    }
    if (raw.text === '**' && before?.text === '**') {
        throw new Fault(raw.at, raw.text, 'one "**" only: it already stands for one or more labels');
    }
    return raw.text;
}
function parseHost(text) {
    const exact = text.startsWith('=');
    const host = exact ? text.slice(1) : text;
    if (exact && host.includes('*')) {
        throw new Fault(0, text, 'a name behind "=": a pattern is exact already');
    }
    if (host === '')
        throw new Fault(exact ? 1 : 0, '', 'a name');
    if (/^[.\u3002\uff0e\uff61]/u.test(host)) {
        const rest = host.slice(1);
        const hint = rest === '' ? 'a name' : `a name; for every name below it write "**.${rest}"`;
        throw new Fault(0, text, hint);
    }
    const shift = text.length - host.length;
    const raw = splitLabels(host).map((label) => ({ ...label, at: label.at + shift }));
    checkCount(raw, text);
    const labels = raw.map((label, index) => patternLabel(label, raw[index - 1]));
    checkWhole(labels, text);
    if (labels.some(isWildcard))
        return { kind: 'pattern', labels };
    return { kind: 'name', name: labels.join('.'), exact };
}
function matchesPattern(pattern, name) {
    let reach = Array.from({ length: name.length + 1 }, (_, index) => index === 0);
    for (const label of pattern) {
        const next = Array(name.length + 1).fill(false);
        for (let j = 1; j <= name.length; j++) {
            const before = reach[j - 1] ?? false;
            if (label === '**')
                next[j] = before || (next[j - 1] ?? false);
            else
                next[j] = before && (label === '*' || label === name[j - 1]);
        }
        reach = next;
    }
    return reach[name.length] ?? false;
}
function printTarget(target) {
    if (target.kind === 'prefix')
        return target.text;
    if (target.kind === 'pattern')
        return target.labels.join('.');
    return target.exact ? `=${target.name}` : target.name;
}

;// CONCATENATED MODULE: ./build/ts/core/policy/decide-name.js


const CLUSTER_SUFFIX = 'cluster.local';
const decide_name_DOT = 0x2e;
const indexes = new WeakMap();
function patternsBySuffix(policy) {
    const patterns = new Map();
    for (const rule of policy.rules) {
        if (rule.target.kind !== 'pattern')
            continue;
        const { labels } = rule.target;
        const suffix = labels.slice(labels.findLastIndex(isWildcard) + 1).join('.');
        const same = patterns.get(suffix);
        if (same === undefined)
            patterns.set(suffix, [rule]);
        else
            same.push(rule);
    }
    return patterns;
}
function indexOf(policy) {
    const known = indexes.get(policy);
    if (known !== undefined)
        return known;
    const names = new Map();
    for (const rule of policy.rules) {
        if (rule.target.kind !== 'name')
            continue;
        const same = names.get(rule.target.name);
        if (same === undefined)
            names.set(rule.target.name, [rule]);
        else
            same.push(rule);
    }
    const index = { names, patterns: patternsBySuffix(policy) };
    indexes.set(policy, index);
    return index;
}
function formsOf(name, searchDomains) {
    const fits = (suffix) => decide_name_isBelow(name, suffix);
    const [longest] = searchDomains.filter(fits).toSorted((a, b) => b.length - a.length);
    const suffixes = longest === undefined ? [] : [longest];
    if (fits(CLUSTER_SUFFIX)) {
        const namespace = name.split('.').at(-4) ?? '';
        const services = `svc.${CLUSTER_SUFFIX}`;
        suffixes.push(...[CLUSTER_SUFFIX, services, `${namespace}.${services}`].filter(fits));
    }
    if (suffixes.length === 0)
        return [name];
    return [...new Set([name, ...suffixes.map((suffix) => name.slice(0, -suffix.length - 1))])];
}
function decide_name_isBelow(name, suffix) {
    const dot = name.length - suffix.length - 1;
    return dot > 0 && name.charCodeAt(dot) === decide_name_DOT && name.endsWith(suffix);
}
function nameRank(rule, form) {
    const { target } = rule;
    if (target.kind !== 'name')
        return [];
    const literals = target.name.split('.').length;
    const kind = target.exact ? 4 : target.name === form ? 3 : 0;
    return [literals, kind, 0, rule.action === 'deny' ? 1 : 0];
}
function patternRank(rule) {
    if (rule.target.kind !== 'pattern')
        return [];
    const { labels } = rule.target;
    const literals = labels.filter((label) => !isWildcard(label)).length;
    return [literals, labels.includes('**') ? 1 : 2, labels.length, rule.action === 'deny' ? 1 : 0];
}
function rankOf({ rule, form }) {
    return rule.target.kind === 'pattern' ? patternRank(rule) : nameRank(rule, form);
}
function addMatchesAt(found, index, form, start) {
    const suffix = start === 0 ? form : form.slice(start);
    for (const rule of index.names.get(suffix) ?? []) {
        const isExact = rule.target.kind === 'name' && rule.target.exact;
        if (start === 0 || !isExact)
            found.push({ rule, form });
    }
    const patterns = index.patterns.get(suffix);
    if (patterns === undefined)
        return;
    const labels = form.split('.');
    for (const rule of patterns) {
        const { target } = rule;
        if (target.kind === 'pattern' && matchesPattern(target.labels, labels)) {
            found.push({ rule, form });
        }
    }
}
function addMatches(found, policy, form) {
    const index = indexOf(policy);
    let start = 0;
    do {
        addMatchesAt(found, index, form, start);
        start = form.indexOf('.', start) + 1;
    } while (start > 0);
    addMatchesAt(found, index, form, form.length);
}
function byText(a, b) {
    if (a === b)
        return 0;
    return a < b ? -1 : 1;
}
function compareMatches(a, b) {
    const rank = rankOf(b);
    for (const [index, value] of rankOf(a).entries()) {
        const difference = (rank[index] ?? 0) - value;
        if (difference !== 0)
            return difference;
    }
    const isPrivate = Number(b.rule.private) - Number(a.rule.private);
    return isPrivate || byText(a.rule.text, b.rule.text) || a.rule.id - b.rule.id;
}
function decide_name_groupOf(rule) {
    if (rule.runnerHost === true)
        return 'runner';
    return rule.autoAllowedType === undefined ? 'user' : 'auto';
}
function cellsOf(rules) {
    const cells = [];
    let open = everyPair();
    for (const rule of rules) {
        const own = pairsOf(rule.ports, rule.action);
        const pairs = intersect(own, open);
        if (isEmpty(pairs))
            continue;
        cells.push({ rule, pairs });
        open = subtract(open, own);
    }
    return cells;
}
function pairsWith(cells, action) {
    return cells
        .filter((cell) => cell.rule.action === action)
        .reduce((sum, cell) => union(sum, cell.pairs), emptyPairs());
}
function rulesMatching(policy, name) {
    const matches = [];
    for (const form of formsOf(name, policy.searchDomains))
        addMatches(matches, policy, form);
    const [first] = matches;
    if (first === undefined || matches.length === 1)
        return first === undefined ? [] : [first.rule];
    return [...new Set(matches.sort(compareMatches).map(({ rule }) => rule))];
}
function cellsFor(matching, asker) {
    return cellsOf(inGroups(matching, asker.runner));
}
function inGroups(matching, isRunner) {
    const groups = isRunner ? ['runner', 'user', 'auto'] : ['user', 'auto'];
    return groups.flatMap((group) => matching.filter((rule) => decide_name_groupOf(rule) === group));
}
function decideName(policy, name, asker) {
    const rules = inGroups(rulesMatching(policy, name), asker.runner);
    const cells = cellsOf(rules);
    const allow = pairsWith(cells, 'allow');
    const deny = pairsWith(cells, 'deny');
    const byPair = (protocol, port) => {
        const cell = cells.find(({ pairs }) => has(pairs, protocol, port));
        return { verdict: cell?.rule.action ?? policy.default, rule: cell?.rule ?? null };
    };
    return { allow, deny, rest: subtract(everyPair(), union(allow, deny)), byPair, rules, cells };
}

;// CONCATENATED MODULE: ./build/ts/core/dns/opinion.js



function opinion_kindOf(rule) {
    if (rule.runnerHost === true)
        return 'runner';
    return rule.autoAllowedType === undefined ? 'user' : 'auto';
}
function toSegment({ rule, pairs }) {
    return segment({ kind: opinion_kindOf(rule), pairs, rule: rule.id, private: rule.private });
}
function opinionOfRules(rules) {
    const everyone = cellsFor(rules, { runner: false });
    const runner = cellsFor(rules, { runner: true }).filter(({ rule }) => rule.runnerHost === true);
    const deny = everyone.filter(({ rule }) => rule.action === 'deny').map(toSegment);
    const denied = pairsOfSegments(deny);
    return {
        allow: [...everyone.filter(({ rule }) => rule.action === 'allow'), ...runner].map(toSegment),
        deny,
        denied,
        deniesAll: isEmpty(subtract(everyPair(), denied)),
    };
}
const opinions = new WeakMap();
const MAX_OPINIONS = 16_384;
function opinionOf(policy, name) {
    const rules = rulesMatching(policy, name);
    const [first] = rules;
    const key = rules.length === 1 && first ? `${first.id}` : rules.map(({ id }) => id).join();
    const known = opinions.get(policy) ?? new Map();
    const opinion = known.get(key) ?? opinionOfRules(rules);
    if (known.size >= MAX_OPINIONS)
        known.clear();
    opinions.set(policy, known.set(key, opinion));
    return opinion;
}

;// CONCATENATED MODULE: ./build/ts/core/dns/runner-accounts.js


const MAX_ACCOUNTS = 4;
const ACCOUNT = /^productionresultssa[0-9]{1,4}\.blob\.core\.windows\.net$/;
const HTTPS_ONLY = segment({
    kind: 'runner',
    pairs: { ...emptyPairs(), tcp: { kind: 'some', ports: [443] } },
    rule: 0,
    private: false,
});
class RunnerAccounts {
    #names = new Set();
    #refused = 0;
    get refused() {
        return this.#refused;
    }
    get names() {
        return [...this.#names];
    }
    segmentsOf(name, isRunner) {
        if (this.#names.has(name))
            return [HTTPS_ONLY];
        if (!isRunner || !ACCOUNT.test(name))
            return [];
        if (this.#names.size >= MAX_ACCOUNTS) {
            this.#refused++;
            return [];
        }
        this.#names.add(name);
        return [HTTPS_ONLY];
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/name-judge.js





class NameJudge {
    accounts = new RunnerAccounts();
    learned = new LearnedNames();
    #options;
    constructor(options) {
        this.#options = options;
    }
    know(question, isRunner) {
        const { gate, clock } = this.#options;
        const opinion = this.#opinionFor(question.name, isRunner);
        const learned = this.learned.segmentsOf(question.name, opinion.denied, clock.nowMs());
        const asked = { question, isRunner, opinion, learned };
        const decision = decideQuery(asked, gate);
        const forOthers = isRunner ? decideQuery({ ...asked, isRunner: false }, gate) : decision;
        const runnerOnly = forOthers.kind !== 'answer';
        return { question, isRunner, opinion, learned, decision, runnerOnly };
    }
    #opinionFor(name, isRunner) {
        const opinion = opinionOf(this.#options.policy, name);
        if (opinion.allow.some((item) => item.kind === 'runner'))
            return opinion;
        const further = this.accounts.segmentsOf(name, isRunner);
        return further.length === 0 ? opinion : { ...opinion, allow: [...opinion.allow, ...further] };
    }
    judge(known, response, age) {
        const { policy, gate, times, own, clock } = this.#options;
        const { decision, opinion } = known;
        const searchDomainOnly = decision.kind === 'answer' && decision.because === 'search-domain';
        return judgeAnswer({
            name: known.question.name,
            type: known.question.type,
            allow: [...opinion.allow, ...known.learned],
            deny: opinion.deny,
            searchDomainOnly,
            defaultAllow: gate.defaultAllow,
            nowMs: clock.nowMs(),
            age,
            times,
            own,
            opinion: (name) => opinionOf(policy, name),
        }, response);
    }
    async admit(known, judged) {
        const { keeper, clock, onGranted } = this.#options;
        const { name } = known.question;
        const nowMs = clock.nowMs();
        const { grants, expiresAtMs } = judged;
        const opens = grants.length > 0 && (await keeper.open({ name, grants, expiresAtMs, nowMs }));
        for (const lesson of judged.learned)
            this.learned.learn(lesson);
        this.noteAnswer(known, judged.addresses);
        const heard = this.#options.onNamed(judged.addresses);
        if (heard !== undefined)
            await heard;
        const granted = opens ? grants.filter((item) => item.grants.length > 0) : [];
        if (granted.length > 0) {
            onGranted({ name, addresses: granted.map((item) => item.address), atMs: nowMs });
        }
    }
    noteAnswer(known, addresses) {
        const { clock, resolutions } = this.#options;
        const { name } = known.question;
        const runnerOnly = known.decision.kind === 'answer' && known.runnerOnly;
        resolutions.note({ name, addresses, atMs: clock.nowMs(), runnerOnly });
    }
    sweep() {
        this.learned.sweep(this.#options.clock.nowMs());
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/patience.js
const LOOKS = 4;
class Patience {
    #clock;
    #limitMs;
    #waiting = new Map();
    #isLooking = false;
    constructor(clock, limitMs) {
        this.#clock = clock;
        this.#limitMs = limitMs;
    }
    wait(word) {
        return new Promise((resolve, reject) => {
            this.#waiting.set(resolve, this.#clock.nowMs() + this.#limitMs);
            const isHeard = () => this.#waiting.delete(resolve);
            word.then(isHeard, isHeard);
            word.then(() => resolve(), reject);
            if (!this.#isLooking)
                void this.#look();
        });
    }
    async #look() {
        this.#isLooking = true;
        while (this.#waiting.size > 0) {
            await this.#clock.after(this.#limitMs / LOOKS);
            const nowMs = this.#clock.nowMs();
            for (const [end, dueMs] of this.#waiting) {
                if (dueMs > nowMs)
                    break;
                this.#waiting.delete(end);
                end();
            }
        }
        this.#isLooking = false;
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/preresolve.js

const AT_ONCE = 256;
const NO_BYTES = new Uint8Array(0);
async function lookUp(name, type, ask, judge) {
    const question = { name, type, class: CLASS_IN, raw: NO_BYTES };
    const known = judge.know(question, true);
    if (known.decision.kind !== 'answer')
        return;
    const { response } = await ask(name, type);
    const judged = judge.judge(known, response, 0);
    if (judged.kind === 'answer')
        await judge.admit(known, judged);
}
async function preresolve(names, lookups, judge) {
    const ask = (name, type) => lookups.ask(name, type);
    const waiting = names.flatMap((name) => [TYPE.A, TYPE.AAAA].map((type) => ({ name, type })));
    const work = async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
            await lookUp(next.name, next.type, ask, judge).catch(() => undefined);
        }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
}
async function resolveAgain(name, lookups, judge) {
    const ask = (of, type) => lookups.askAgain(of, type);
    await Promise.allSettled([TYPE.A, TYPE.AAAA].map((type) => lookUp(name, type, ask, judge)));
}

;// CONCATENATED MODULE: ./build/ts/daemon/firewall-updater.js


class GrantUpdater {
    #keeper;
    #terms;
    constructor(keeper, terms) {
        this.#keeper = keeper;
        this.#terms = terms;
    }
    addIp(ip, action, ports) {
        const { name, kind, expiresAtMs, nowMs } = this.#terms;
        const pairs = pairsOf(ports, action);
        const own = [segment({ kind, pairs, rule: 0, private: true })];
        const isAllow = action === 'allow';
        const grant = { address: ip, grants: isAllow ? own : [], denials: isAllow ? [] : own };
        return this.#keeper.open({ name, grants: [grant], expiresAtMs, nowMs });
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/reach-host.js






const NO_OPINION = { allow: [], deny: [], denied: emptyPairs(), deniesAll: false };
function onPort(port) {
    return [{ port, protocol: 'tcp' }];
}
function daemonSegment(port) {
    const pairs = pairsOf(onPort(port), 'allow');
    return segment({ kind: 'daemon', pairs, rule: 0, private: true });
}
async function reach_host_lookUp(name, type, port, parts) {
    const { lookups, times, own, nowMs } = parts;
    const { response } = await lookups.ask(name, type);
    const question = {
        name,
        type,
        allow: [daemonSegment(port)],
        deny: [],
        searchDomainOnly: false,
        defaultAllow: false,
        nowMs,
        age: 0,
        times,
        own,
        opinion: () => NO_OPINION,
    };
    return judgeAnswer(question, response);
}
async function reachHost(host, port, parts) {
    const { keeper, nowMs, times } = parts;
    const literal = parseAddress(host);
    if (literal !== undefined) {
        const terms = {
            name: host,
            kind: 'daemon',
            expiresAtMs: nowMs + times.grantFloorMs,
            nowMs,
        };
        await new GrantUpdater(keeper, terms).addIp(literal, 'allow', onPort(port));
        return [literal];
    }
    const name = host.toLowerCase().replace(/\.$/u, '');
    const answers = await Promise.allSettled([TYPE.A, TYPE.AAAA].map((type) => reach_host_lookUp(name, type, port, parts)));
    const addresses = [];
    for (const answer of answers) {
        if (answer.status === 'rejected' || answer.value.kind !== 'answer')
            continue;
        const { grants, expiresAtMs } = answer.value;
        const updater = new GrantUpdater(keeper, { name, kind: 'daemon', expiresAtMs, nowMs });
        for (const { address } of grants) {
            await updater.addIp(address, 'allow', onPort(port));
            addresses.push(address);
        }
    }
    if (addresses.length === 0)
        throw new Error(`no address of ${host} can be used`);
    return addresses;
}

;// CONCATENATED MODULE: ./build/ts/core/dns/recent-replies.js
const MAX_REPLIES = 1024;
const MAX_QUESTION = 512;
const MAX_REPLY = 1232;
const ID_SIZE = 2;
function recent_replies_keyOf(question, isRunner) {
    const bytes = Reflect.apply(String.fromCharCode, null, question.subarray(ID_SIZE));
    return isRunner ? `runner ${bytes}` : bytes;
}
class RecentReplies {
    #replies = new Map();
    #onRepeat;
    constructor(onRepeat) {
        this.#onRepeat = onRepeat;
    }
    get(question, isRunner, nowMs) {
        if (question.length > MAX_QUESTION)
            return undefined;
        const recent = this.#replies.get(recent_replies_keyOf(question, isRunner));
        if (recent === undefined || recent.untilMs <= nowMs || !recent.isLatest())
            return undefined;
        if (!recent.isRepeated) {
            recent.isRepeated = true;
            this.#onRepeat(question, isRunner, recent);
        }
        const reply = recent.reply.slice();
        reply.set(question.subarray(0, ID_SIZE));
        return reply;
    }
    keep(question, isRunner, recent) {
        if (question.length > MAX_QUESTION || recent.reply.length > MAX_REPLY)
            return;
        if (this.#replies.size >= MAX_REPLIES)
            this.#replies.clear();
        this.#replies.set(recent_replies_keyOf(question, isRunner), { ...recent, isRepeated: false });
    }
}

;// CONCATENATED MODULE: ./build/ts/core/flow/reply-write.js

const reply_write_ID_SIZE = 2;
const QUESTION_MAX = SIZE.reply_key - OFFSET.reply_key.question;
const REPLY_MAX = SIZE.reply_value - OFFSET.reply_value.reply;
function replyKey(question, isRunner) {
    const size = question.length - reply_write_ID_SIZE;
    if (size > QUESTION_MAX)
        return undefined;
    const key = new Uint8Array(SIZE.reply_key);
    const view = new DataView(key.buffer);
    view.setUint32(OFFSET.reply_key.scope, isRunner ? SCOPE.RUNNER : SCOPE.EVERYONE, true);
    view.setUint32(OFFSET.reply_key.size, size, true);
    key.set(question.subarray(reply_write_ID_SIZE), OFFSET.reply_key.question);
    return key;
}
function replyWrite(key, given) {
    const size = given.reply.length - reply_write_ID_SIZE;
    if (size > REPLY_MAX)
        return undefined;
    const value = new Uint8Array(SIZE.reply_value);
    const view = new DataView(value.buffer);
    const at = OFFSET.reply_value;
    view.setBigUint64(at.number, given.number, true);
    view.setBigUint64(at.until_ns, BigInt(Math.floor(given.untilMs * 1e6)), true);
    view.setUint32(at.size, size, true);
    value.set(given.reply.subarray(reply_write_ID_SIZE), at.reply);
    return { map: WRITABLE_MAP.REPLIES, op: 'update', key, value };
}
function replyEnd(key) {
    return { map: WRITABLE_MAP.REPLIES, op: 'delete', key, value: new Uint8Array() };
}

;// CONCATENATED MODULE: ./build/ts/daemon/kernel-replies.js


const MAX_GIVEN = 1024;
class KernelReplies {
    #sink;
    #clock;
    #byAddress = new Map();
    #size = 0;
    #number;
    constructor(sink, clock) {
        this.#sink = sink;
        this.#clock = clock;
        this.#number = BigInt(Math.floor(clock.nowMs() * 1e6));
    }
    give(question, isRunner, recent) {
        const key = replyKey(question, isRunner);
        if (this.#size >= MAX_GIVEN)
            this.sweep();
        if (key === undefined || this.#size >= MAX_GIVEN)
            return;
        this.#number++;
        const write = replyWrite(key, { ...recent, number: this.#number });
        if (write === undefined)
            return;
        if (recent.addresses.length > 0)
            this.#remember({ key, recent });
        this.#sink.apply([write]).catch(() => undefined);
    }
    #remember(given) {
        for (const address of given.recent.addresses) {
            const at = addressKey(address);
            const there = this.#byAddress.get(at) ?? new Set();
            this.#byAddress.set(at, there.add(given));
        }
        this.#size++;
    }
    overtake(addresses) {
        if (this.#size === 0)
            return undefined;
        const keys = addresses?.map(addressKey) ?? [...this.#byAddress.keys()];
        const named = keys.flatMap((key) => [...(this.#byAddress.get(key) ?? [])]);
        const behind = [...new Set(named)].filter(({ recent }) => !recent.isLatest());
        if (behind.length === 0)
            return undefined;
        for (const given of behind)
            this.#forget(given);
        return this.#sink.apply(behind.map(({ key }) => replyEnd(key)));
    }
    #forget(given) {
        let isKnown = false;
        for (const address of given.recent.addresses) {
            const at = addressKey(address);
            const there = this.#byAddress.get(at);
            if (there?.delete(given) === true)
                isKnown = true;
            if (there?.size === 0)
                this.#byAddress.delete(at);
        }
        if (isKnown)
            this.#size--;
    }
    sweep() {
        const nowMs = this.#clock.nowMs();
        for (const there of this.#byAddress.values()) {
            for (const given of there)
                if (given.recent.untilMs <= nowMs)
                    this.#forget(given);
        }
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/repeated-replies.js



class RepeatedReplies {
    #clock;
    #resolutions;
    #grants;
    #evicted = 0;
    #kernel;
    #recent;
    constructor(options) {
        const { sink, clock, resolutions, grants } = options;
        const kernel = new KernelReplies(sink, clock);
        this.#clock = clock;
        this.#resolutions = resolutions;
        this.#grants = grants;
        this.#kernel = kernel;
        this.#recent = new RecentReplies((...repeated) => kernel.give(...repeated));
    }
    get(message, isRunner) {
        return this.#recent.get(message, isRunner, this.#clock.nowMs());
    }
    keep({ message, name, isRunner, reply }, held, judged) {
        const nowMs = this.#clock.nowMs();
        const ageMs = (nowMs - held.receivedAtMs) % 1000;
        const grantMs = wholeSecond(judged.expiresAtMs) - judged.expiresAtMs;
        const leftMs = Math.min(1000 - ageMs, grantMs, held.expiresAtMs - nowMs);
        if (leftMs <= 0)
            return;
        const { addresses } = judged;
        const granted = judged.grants.flatMap((one) => (one.grants.length > 0 ? one.address : []));
        const isLatest = () => this.#resolutions.isLatest(name, addresses) && this.#grants.holds(name, granted);
        const recent = { reply, untilMs: nowMs + leftMs, addresses, isLatest };
        this.#recent.keep(message, isRunner, recent);
    }
    overtake(addresses) {
        const { evicted } = this.#grants;
        const isAny = evicted !== this.#evicted;
        this.#evicted = evicted;
        return this.#kernel.overtake(isAny ? undefined : addresses);
    }
    sweep() {
        this.#kernel.sweep();
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/upstreams.js




const BUDGET_MS = 1900;
const DOWN_EVERY_MS = 60_000;
class UpstreamError extends Error {
    constructor(message, options) {
        super(message, options);
        this.name = 'UpstreamError';
    }
}
function isFinal(rcode) {
    return rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN;
}
function checked(asked, response) {
    const { name, type, class: of } = response.question;
    if (name !== asked.name || type !== asked.type || of !== CLASS_IN) {
        throw new UpstreamError('an answer to another question');
    }
    if (!isFinal(response.rcode))
        throw new UpstreamError(`response code ${response.rcode}`);
    return response;
}
class Upstreams {
    #options;
    #reportedAtMs = Number.NEGATIVE_INFINITY;
    #failures = 0;
    constructor(options) {
        this.#options = options;
    }
    get failures() {
        return this.#failures;
    }
    ask(name, type) {
        const asked = { name, type, message: encodeQuestion(name, type) };
        return this.#inOrder((server, timeLeft) => this.#askWhole(server, asked, timeLeft));
    }
    async forward(message, proto) {
        let unhappy;
        try {
            return await this.#inOrder(async (server, timeLeft) => {
                const reply = await this.#options.upstream.ask(server, message, proto, timeLeft());
                const header = decodeHeader(reply);
                if (isFinal(header.rcode))
                    return reply;
                unhappy ??= reply;
                throw new UpstreamError(`response code ${header.rcode}`);
            });
        }
        catch (error) {
            if (unhappy !== undefined)
                return unhappy;
            throw error;
        }
    }
    async #askWhole(server, asked, timeLeft) {
        const { upstream } = this.#options;
        const { message } = asked;
        const reply = decodeResponse(await upstream.ask(server, message, 'udp', timeLeft()));
        if (!reply.truncated)
            return checked(asked, reply);
        const whole = decodeResponse(await upstream.ask(server, message, 'tcp', timeLeft()));
        if (whole.truncated)
            throw new UpstreamError('a truncated answer over TCP');
        return checked(asked, whole);
    }
    async #inOrder(attempt) {
        const { servers, clock } = this.#options;
        const startMs = clock.nowMs();
        let last;
        let answered = false;
        for (const [index, server] of servers.entries()) {
            const endMs = startMs + (BUDGET_MS * (index + 1)) / servers.length;
            try {
                return await attempt(server, () => Math.max(1, endMs - clock.nowMs()));
            }
            catch (error) {
                answered ||= error instanceof UpstreamError || error instanceof DnsDecodeError;
                last = error;
            }
        }
        this.#failures++;
        if (!answered)
            this.#reportDown(last);
        throw new UpstreamError('no upstream gave a usable answer', { cause: last });
    }
    #reportDown(cause) {
        const now = this.#options.clock.nowMs();
        if (now - this.#reportedAtMs < DOWN_EVERY_MS)
            return;
        this.#reportedAtMs = now;
        const why = cause instanceof Error ? cause.message : String(cause);
        this.#options.onDown({ servers: this.#options.servers, why });
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/dns-proxy.js

















const MAX_AT_WORK = 2048;
const ROOM_OF_RUNNER = 256;
class SteeredDnsProxy {
    counters = zeroCounters();
    grants;
    resolutions = new Resolutions();
    #options;
    #keeper;
    #upstreams;
    #lookups;
    #judge;
    #repeated;
    #patience;
    #atWork = 0;
    constructor(options) {
        const { clock, servers, upstream, onUpstreamDown: onDown } = options;
        this.#options = options;
        this.grants = new Grants(options.lastName);
        this.#patience = new Patience(clock, KERNEL_WORD_MS);
        this.#keeper = new GrantKeeper(this.grants, options.grantSink, clock);
        this.#upstreams = new Upstreams({ servers, upstream, clock, onDown });
        this.#lookups = new Lookups(this.#upstreams, clock, this.counters);
        const { resolutions, grants } = this;
        this.#repeated = new RepeatedReplies({ sink: options.grantSink, clock, resolutions, grants });
        const onNamed = (addresses) => this.#repeated.overtake(addresses);
        this.#judge = new NameJudge({ ...options, keeper: this.#keeper, resolutions, onNamed });
    }
    again(message, isRunner) {
        const reply = this.#repeated.get(message, isRunner);
        if (reply === undefined)
            return undefined;
        this.counters.queries++;
        this.counters.cacheHits++;
        this.counters.answered++;
        return reply;
    }
    async handle(message, client) {
        this.counters.queries++;
        const header = this.#header(message);
        if (header === undefined)
            return undefined;
        if (this.#atWork >= MAX_AT_WORK + (client.isRunner === true ? ROOM_OF_RUNNER : 0)) {
            this.counters.overloaded++;
            return encodeHeaderAnswer(header.id, header.flags, RCODE.SERVFAIL);
        }
        this.#atWork++;
        try {
            return await this.#handleOwned(message, header, client);
        }
        catch {
            this.counters.servfail++;
            return encodeHeaderAnswer(header.id, header.flags, RCODE.SERVFAIL);
        }
        finally {
            this.#atWork--;
        }
    }
    #header(message) {
        if (message.length >= 12) {
            const header = decodeHeader(message);
            if (!header.response)
                return header;
        }
        this.counters.undecodable++;
        return undefined;
    }
    async #handleOwned(message, header, client) {
        const asker = client.isRunner === undefined ? await this.#options.asker(client) : undefined;
        const isRunner = client.isRunner ?? (asker && asker.scope === SCOPE.RUNNER);
        if (isRunner === undefined) {
            this.counters.unowned++;
            return undefined;
        }
        if (header.opcode !== 0) {
            this.counters.notimp++;
            return encodeHeaderAnswer(header.id, header.flags, RCODE.NOTIMP);
        }
        const query = this.#query(message);
        if (query === undefined)
            return encodeHeaderAnswer(header.id, header.flags, RCODE.FORMERR);
        const known = this.#judge.know(query.question, isRunner);
        const work = { message, query, client, asker, known };
        if (query.opt !== undefined && query.opt.version > 0)
            return answer(work, RCODE.BADVERS);
        try {
            return await this.#dispatch(work, known.decision);
        }
        catch {
            this.counters.servfail++;
            return answer(work, RCODE.SERVFAIL);
        }
    }
    #query(message) {
        try {
            return decodeQuery(message);
        }
        catch {
            this.counters.formerr++;
            return undefined;
        }
    }
    #dispatch(work, decision) {
        if (decision.kind === 'local') {
            this.counters.local++;
            const { name, type } = work.query.question;
            return answer(work, RCODE.NOERROR, localRecords(name, type, decision.addresses));
        }
        if (decision.kind === 'canary')
            return this.#answerCanary(work);
        if (decision.kind === 'answer')
            this.#options.onAnswered?.(work.known, work.client);
        const isProof = decision.kind === 'refuse' && decision.reason === 'proof';
        if (this.#options.mode() !== 'enforce' && !isProof)
            return this.#forward(work, decision);
        switch (decision.kind) {
            case 'refuse':
                return this.#refuse(work, decision);
            case 'nxdomain':
                this.counters.synthetic++;
                return answer(work, RCODE.NXDOMAIN);
            case 'reverse':
                return this.#answerReverse(work, decision.address);
            case 'answer':
                return this.#answerAfresh(work);
        }
    }
    async #blocked(work, reason, rule) {
        const mode = this.#options.mode();
        if (mode === 'noting')
            return;
        const { client, query } = work;
        const { name, type } = query.question;
        const asker = work.asker ?? (await this.#options.asker(client));
        const wouldDeny = mode === 'audit';
        this.#options.onBlocked({ name, type, client, asker, reason, rule, wouldDeny });
    }
    async #refuse(work, refusal) {
        this.counters.refused++;
        await this.#patience.wait(this.#blocked(work, refusal.reason, refusal.rule));
        return answer(work, RCODE.REFUSED, [], { blocked: true });
    }
    #answerReverse(work, address) {
        const name = this.grants.latestName(address, this.#options.clock.nowMs());
        if (name === undefined) {
            this.counters.reverseUnknown++;
            return answer(work, RCODE.NXDOMAIN);
        }
        this.counters.reverseAnswered++;
        return answer(work, RCODE.NOERROR, [reverseRecord(work.query.question.name, name)]);
    }
    async #answerCanary(work) {
        const { name, type } = work.query.question;
        const nowMs = this.#options.clock.nowMs();
        await this.#keeper.open(canaryGrant(name, nowMs, this.#options.times.grantFloorMs));
        return answer(work, RCODE.NOERROR, canaryRecords(name, type));
    }
    async #answerAfresh(work) {
        const { known } = work;
        const { clock } = this.#options;
        const { name, type } = known.question;
        const held = await this.#lookups.ask(name, type);
        const age = Math.floor((clock.nowMs() - held.receivedAtMs) / 1000);
        const judged = this.#judge.judge(known, held.response, age);
        if (judged.kind === 'servfail') {
            this.counters.servfail++;
            return answer(work, RCODE.SERVFAIL);
        }
        await this.#judge.admit(known, judged);
        this.counters.answered++;
        const reply = answer(work, judged.rcode, judged.records, { age });
        if (judged.emptied !== undefined)
            await this.#blocked(work, judged.emptied, 0);
        else
            this.#keep(work, reply, held, judged);
        return reply;
    }
    #keep({ message, client, query }, reply, ...of) {
        if (client.isRunner === undefined)
            return;
        const { isRunner } = client;
        this.#repeated.keep({ message, name: query.question.name, isRunner, reply }, ...of);
    }
    async #forward(work, decision) {
        if (decision.kind === 'refuse')
            await this.#blocked(work, decision.reason, decision.rule);
        const forwarded = await forwardUnchanged(work, this.#upstreams, this.#judge);
        if (forwarded.emptied !== undefined)
            await this.#blocked(work, forwarded.emptied, 0);
        this.counters.answered++;
        return forwarded.reply;
    }
    takeOver(given) {
        this.#keeper.takeOver(given);
    }
    async preresolve(names) {
        const { clock, times } = this.#options;
        await Promise.race([
            preresolve(names, this.#lookups, this.#judge),
            clock.after(times.preresolveMs),
        ]);
    }
    lookAgain(name) {
        return resolveAgain(name, this.#lookups, this.#judge);
    }
    reach(host, port) {
        const { clock, times, own } = this.#options;
        const parts = { lookups: this.#lookups, keeper: this.#keeper, times, own };
        return reachHost(host, port, { ...parts, nowMs: clock.nowMs() });
    }
    nameOf(address) {
        const nowMs = this.#options.clock.nowMs();
        return this.grants.latestName(address, nowMs) ?? this.resolutions.namesFor(address, nowMs)[0];
    }
    sweep() {
        this.#keeper.sweep();
        this.#judge.sweep();
        this.#repeated.sweep();
        this.resolutions.sweep(this.#options.clock.nowMs());
    }
    totals() {
        return {
            ...this.counters,
            grantsRefused: this.#keeper.refused,
            grantsEvicted: this.grants.evicted,
            learnedForgotten: this.#judge.learned.forgotten,
            resolutionsEvicted: this.resolutions.evicted,
            upstreamFailures: this.#upstreams.failures,
            runnerAccountsRefused: this.#judge.accounts.refused,
        };
    }
    runnerAccounts() {
        return this.#judge.accounts.names;
    }
}
function answer(work, rcode, records = [], more = {}) {
    const limit = answerLimit(work.query, work.client.proto);
    return encodeAnswer(work.query, { rcode, records, ...more }, limit);
}
function createDnsProxy(options) {
    return new SteeredDnsProxy(options);
}

;// CONCATENATED MODULE: ./build/ts/core/audit/caps.js
const MAX_PROCESS = 16;
const caps_MAX_NAME = 255;
const MAX_OTHER_NAMES = 7;

;// CONCATENATED MODULE: ./build/ts/core/audit/protocol-name.js
const NAMES = new Map([
    [1, 'ICMP'],
    [2, 'IGMP'],
    [6, 'TCP'],
    [17, 'UDP'],
    [41, 'IPv6-in-IPv4'],
    [47, 'GRE'],
    [50, 'ESP'],
    [51, 'AH'],
    [58, 'ICMPv6'],
    [89, 'OSPF'],
    [103, 'PIM'],
    [132, 'SCTP'],
]);
function protocolName(number) {
    return NAMES.get(number) ?? `Protocol-${number}`;
}

;// CONCATENATED MODULE: ./build/ts/core/audit/attribute.js






const TCP = 6;
const UDP = 17;
const NOT_IP = 255;
const ORIGINS = new Map([
    [ORIGIN.RUNNER, 'runner'],
    [ORIGIN.JOB, 'job'],
    [ORIGIN.SYSTEM, 'system'],
    [ORIGIN.DAEMON, 'daemon'],
    [ORIGIN.CONTAINER, 'container'],
]);
const LAYERS = new Map([
    [LAYER.CONNECT, 'connect'],
    [LAYER.SENDMSG, 'sendmsg'],
    [LAYER.EGRESS, 'egress'],
    [LAYER.TC, 'tc'],
    [LAYER.SOCKET, 'socket'],
    [LAYER.SYSCALL, 'syscall'],
]);
const DECIDERS = new Map(Object.entries(DECIDED_BY).map(([name, number]) => [
    number,
    name.toLowerCase().replaceAll('_', '-'),
]));
const FAMILIES = new Map([
    [17, 'AF_PACKET'],
    [27, 'AF_IB'],
    [40, 'AF_VSOCK'],
    [44, 'AF_XDP'],
]);
function originName(origin) {
    return ORIGINS.get(origin) ?? 'unknown';
}
function typeOf(event) {
    if (event.allowed)
        return 'connection_allowed';
    return event.protocol === TCP || event.protocol === UDP
        ? 'connection_blocked'
        : 'protocol_blocked';
}
function deciderName(by) {
    return DECIDERS.get(by) ?? 'unknown';
}
const INBOUND = 'inbound connection';
function reasonOf(event) {
    if (event.by === DECIDED_BY.PROOF)
        return 'proof';
    if (event.by === DECIDED_BY.INBOUND)
        return INBOUND;
    if (event.by === DECIDED_BY.SOCKET)
        return FAMILIES.get(event.ethertype);
    if (event.protocol === NOT_IP)
        return `0x${event.ethertype.toString(16).padStart(4, '0')}`;
    return undefined;
}
function autoAllowedType(event, rule) {
    if (event.allowed && event.by === DECIDED_BY.DAEMON)
        return 'dns';
    return rule?.autoAllowedType;
}
function hostNames(event, knowledge) {
    if (event.dst === undefined)
        return NOTHING;
    const granted = event.allowed ? knowledge.nameOfGrant(event.name) : undefined;
    if (granted !== undefined)
        return { dst_hostname: granted };
    const [name, ...others] = knowledge.namesFor(event.dst, event.origin === ORIGIN.RUNNER);
    if (name === undefined || event.allowed)
        return NOTHING;
    const dst_hostname = name.slice(0, caps_MAX_NAME);
    if (others.length === 0)
        return { dst_hostname };
    return { dst_hostname, dst_hostnames: others.slice(0, MAX_OTHER_NAMES) };
}
const ALLOWED = { would_deny: false, blocked: false };
const MID_STREAM = { mid_stream: true };
const NOTHING = {};
let lastCgroup = { id: 0n, text: '' };
function cgroupText(id) {
    if (id !== lastCgroup.id)
        lastCgroup = { id, text: id === 0n ? '' : id.toString() };
    return lastCgroup.text;
}
function identityFields({ startNs }, identity) {
    if (startNs === 0n)
        return NOTHING;
    const start_ticks = ticksOf(startNs);
    if (identity === undefined)
        return { start_ticks };
    const { exe, ancestry } = identity;
    return exe === undefined ? { start_ticks, ancestry } : { start_ticks, exe, ancestry };
}
function outcome(event, name, knowledge) {
    const { allowed, by, mode, layer, dst: address, protocol, dstPort: port } = event;
    if (allowed)
        return ALLOWED;
    const blocked = (mode === MODE.ENFORCE && layer !== LAYER.SYSCALL) || by === DECIDED_BY.PROOF;
    const isFlow = protocol !== NOT_IP;
    const expected = isFlow && knowledge.isExpected({ name, address, protocol, port });
    return { would_deny: !blocked, blocked, ...(expected ? { expected } : NOTHING) };
}
function attribute(event, knowledge) {
    const rule = event.rule === 0 ? undefined : knowledge.ruleOf(event.rule);
    const names = hostNames(event, knowledge);
    return {
        timestamp: formatTimestamp(event.monotonicNs + knowledge.clockOffsetNs),
        event_type: typeOf(event),
        src_ip: event.src === undefined ? '' : address_printAddress(event.src),
        dst_ip: event.dst === undefined ? '' : address_printAddress(event.dst),
        ...names,
        dst_port: event.dstPort,
        protocol: protocolName(event.protocol),
        process: event.comm.slice(0, MAX_PROCESS),
        pid: event.pid,
        matched_rule: rule?.text ?? '',
        auto_allowed_type: autoAllowedType(event, rule) ?? '',
        ...outcome(event, names.dst_hostname, knowledge),
        origin: originName(event.origin),
        uid: event.pid === 0 ? 0 : event.uid,
        cgroup: cgroupText(event.cgroup),
        ...(event.midStream ? MID_STREAM : NOTHING),
        count: event.count > 1 ? event.count : 0,
        reason: reasonOf(event) ?? '',
        decided_by: deciderName(event.by),
        layer: LAYERS.get(event.layer) ?? 'unknown',
        ...identityFields(event, knowledge.identityOf(event)),
    };
}

;// CONCATENATED MODULE: ./build/ts/core/audit/coalesce.js


const MAX_FLOWS = 16_384;
const IDLE_MS = 300_000;
function coalesce_keyOf(event, record) {
    const { src_ip, dst_ip, blocked, would_deny } = record;
    const { protocol, srcPort, dstPort, ethertype, pid, startNs, execs, cgroup } = event;
    const who = [pid, startNs, execs, cgroup, blocked, would_deny];
    return [protocol, src_ip, srcPort, dst_ip, dstPort, ethertype, ...who].join(' ');
}
class Coalescer {
    #flows = new RecentlyUsed(MAX_FLOWS, (seen) => this.#letGo(seen));
    #done = [];
    isFirst(event, record, nowMs) {
        const isPacket = event.layer === LAYER.EGRESS || event.layer === LAYER.TC;
        if (event.allowed || !isPacket)
            return true;
        const key = coalesce_keyOf(event, record);
        const seen = this.#flows.use(key);
        if (seen === undefined || nowMs - seen.lastMs > IDLE_MS) {
            if (seen !== undefined)
                this.#letGo(seen);
            const fresh = { record, lastMs: nowMs, count: 0, last: record.timestamp, used: 0 };
            this.#flows.set(key, fresh);
            return true;
        }
        seen.lastMs = nowMs;
        seen.count += event.count;
        seen.last = record.timestamp;
        return false;
    }
    #letGo({ record, count, last }) {
        if (count === 0)
            return;
        this.#done.push({ ...record, timestamp: last, count, mid_stream: true });
    }
    flush(nowMs) {
        for (const [key, seen] of this.#flows.entries()) {
            this.#letGo(seen);
            seen.count = 0;
            if (nowMs - seen.lastMs > IDLE_MS)
                this.#flows.delete(key);
        }
        return this.#done.splice(0);
    }
}

;// CONCATENATED MODULE: ./build/ts/core/flow/blocked-event.js

const blocked_event_AT = OFFSET.blocked_event;
const NO_ADDRESS = new Uint8Array(16);
function decodeBlockedEvent(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const version = view.getUint8(blocked_event_AT.ip_version);
    if (version !== 0 && version !== 4 && version !== 6)
        return undefined;
    const address = (at) => (version === 6 ? bytes.slice(at, at + 16) : NO_ADDRESS);
    return {
        ipVersion: version === 6 ? 6 : 4,
        allowed: view.getUint8(blocked_event_AT.allowed),
        ipProto: view.getUint8(blocked_event_AT.ip_proto),
        pad1: view.getUint8(blocked_event_AT.pad1),
        srcIp: view.getUint32(blocked_event_AT.src_ip, true),
        dstIp: view.getUint32(blocked_event_AT.dst_ip, true),
        srcPort: view.getUint16(blocked_event_AT.src_port, true),
        dstPort: view.getUint16(blocked_event_AT.dst_port, true),
        srcIp6: address(blocked_event_AT.src_ip6),
        dstIp6: address(blocked_event_AT.dst_ip6),
        timestamp: view.getBigUint64(blocked_event_AT.timestamp, true),
        pid: view.getUint32(blocked_event_AT.pid, true),
        pad2: view.getUint32(blocked_event_AT.pad2, true),
    };
}

;// CONCATENATED MODULE: ./build/ts/core/flow/decode.js




const EXT = OFFSET.event_extension;
const ABI_VERSION = 1;
const decode_NOT_IP = 255;
const decode_TCP = 6;
const decode_UDP = 17;
function* decodeEvents(bytes) {
    let at = 0;
    for (; at + SIZE.event <= bytes.length; at += SIZE.event) {
        yield decodeEvent(bytes.subarray(at, at + SIZE.event));
    }
    if (at < bytes.length)
        yield undefined;
}
function decodeEvent(bytes) {
    const flow = decodeBlockedEvent(bytes);
    const ext = SIZE.blocked_event;
    const view = new DataView(bytes.buffer, bytes.byteOffset + ext, SIZE.event_extension);
    if (flow === undefined || view.getUint16(EXT.version, true) !== ABI_VERSION)
        return undefined;
    const hasPorts = flow.ipProto === decode_TCP || flow.ipProto === decode_UDP;
    return {
        monotonicNs: flow.timestamp,
        allowed: flow.allowed !== 0,
        protocol: flow.ipProto,
        src: addressOf(flow, flow.srcIp, flow.srcIp6),
        dst: addressOf(flow, flow.dstIp, flow.dstIp6),
        srcPort: hasPorts ? flow.srcPort : 0,
        dstPort: hasPorts ? flow.dstPort : 0,
        pid: flow.pid,
        midStream: (flow.pad1 & 1) !== 0,
        by: view.getUint8(EXT.by),
        layer: view.getUint8(EXT.layer),
        origin: view.getUint8(EXT.origin),
        mode: view.getUint8(EXT.mode),
        rule: view.getUint32(EXT.rule, true),
        name: view.getUint32(EXT.name, true),
        uid: view.getUint32(EXT.uid, true),
        ethertype: view.getUint16(EXT.ethertype, true),
        scope: view.getUint16(EXT.scope, true),
        count: view.getUint32(EXT.count, true),
        cgroup: view.getBigUint64(EXT.cgroup, true),
        comm: decodeComm(bytes.subarray(ext + EXT.comm, ext + EXT.start_ns)),
        startNs: view.getBigUint64(EXT.start_ns, true),
        execs: view.getUint32(EXT.execs, true),
    };
}
function addressOf(flow, v4, v6) {
    if (flow.ipProto === decode_NOT_IP)
        return undefined;
    if (flow.ipVersion === 4)
        return v4 === 0 ? undefined : addressFromNumber(v4);
    return v6.every((byte) => byte === 0) ? undefined : v6;
}

;// CONCATENATED MODULE: ./build/ts/daemon/flow-pipeline.js



function recordKey(record) {
    return `${record.timestamp} ${record.pid ?? 0} ${record.dst_ip ?? ''}`;
}
class FlowPipeline {
    #options;
    #coalescer = new Coalescer();
    #undecodable = 0;
    constructor(options) {
        this.#options = options;
    }
    get undecodable() {
        return this.#undecodable;
    }
    processBlockedEvents(bytes, resent) {
        const { logger, onRefused } = this.#options;
        const refused = [];
        logger.logEvents(this.#records(bytes, resent, refused));
        for (const [event, record] of refused)
            onRefused(event, record);
    }
    *#records(bytes, resent, refused) {
        const { knowledge, known, onEvent, nowMs } = this.#options;
        for (const event of decodeEvents(bytes)) {
            if (event === undefined) {
                this.#undecodable++;
                continue;
            }
            onEvent(event);
            const record = attribute(event, knowledge);
            if (resent && known.has(recordKey(record)))
                continue;
            if (!event.allowed)
                refused.push([event, record]);
            if (this.#coalescer.isFirst(event, record, nowMs()))
                yield record;
        }
    }
    flush() {
        this.#options.logger.logEvents(this.#coalescer.flush(this.#options.nowMs()));
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/gate-settings.js

function gateSettings(session) {
    const { policy, nonce } = session;
    const localNames = new Map(session.localNames.map(({ name, addresses }) => [
        name.toLowerCase(),
        addresses.flatMap((text) => parseAddress(text) ?? []),
    ]));
    const { searchDomains } = policy;
    return { defaultAllow: policy.default === 'allow', searchDomains, localNames, nonce };
}

;// CONCATENATED MODULE: ./build/ts/daemon/in-cloud.js

function inCloud(hello, cloud) {
    const { session } = hello;
    const { policy } = session;
    const searchDomains = [...new Set([...policy.searchDomains, ...cloudSearchDomains(cloud)])];
    return { ...hello, session: { ...session, policy: { ...policy, searchDomains } } };
}

;// CONCATENATED MODULE: ./build/ts/core/net/cidr.js

const IPV4_BITS = 96;
const cidr_MAPPED = parseAddress('::ffff:0.0.0.0') ?? new Uint8Array(16);
function maskAddress(address, length) {
    return address.map((byte, index) => {
        const bits = Math.min(8, Math.max(0, length - index * 8));
        return byte & (0xff << (8 - bits)) & 0xff;
    });
}
function isPrefixOfMapped(prefix) {
    return prefix.length < IPV4_BITS && matches(prefix, cidr_MAPPED);
}
function matches(prefix, address) {
    const masked = maskAddress(address, prefix.length);
    return masked.every((byte, index) => byte === prefix.address[index]);
}
function isIPv4Prefix(prefix) {
    return prefix.length >= IPV4_BITS && isIPv4(prefix.address);
}
function contains(prefix, address) {
    return matches(prefix, address) && isIPv4Prefix(prefix) === isIPv4(address);
}
function covers(outer, inner) {
    return outer.length <= inner.length && contains(outer, inner.address);
}
function prefixOf(address) {
    return { address, length: 128 };
}
function parsePrefixParts(addressText, lengthText) {
    const address = parseAddress(addressText);
    if (address === undefined)
        return { kind: 'address' };
    const dotted = !addressText.includes(':');
    const limit = dotted ? 32 : 128;
    if (!/^(0|[1-9]\d{0,2})$/.test(lengthText) || Number(lengthText) > limit) {
        return { kind: 'length', limit };
    }
    const length = dotted ? IPV4_BITS + Number(lengthText) : Number(lengthText);
    const masked = maskAddress(address, length);
    if (masked.some((byte, index) => byte !== address[index])) {
        const corrected = length >= IPV4_BITS && isIPv4(masked)
            ? `${address_printAddress(masked)}/${length - IPV4_BITS}`
            : `${address_printAddress(masked)}/${length}`;
        return { kind: 'host-bits', corrected };
    }
    return { address, length };
}
function parsePrefix(text) {
    const slash = text.indexOf('/');
    if (slash < 0) {
        const address = parseAddress(text);
        return address && prefixOf(address);
    }
    const parsed = parsePrefixParts(text.slice(0, slash), text.slice(slash + 1));
    return 'kind' in parsed ? undefined : parsed;
}
function printPrefix(prefix) {
    const text = printAddress(prefix.address);
    if (prefix.length === 128)
        return text;
    return `${text}/${isIPv4Prefix(prefix) ? prefix.length - IPV4_BITS : prefix.length}`;
}
function withoutMapped(prefix) {
    if (!isPrefixOfMapped(prefix))
        return [prefix];
    const parts = [];
    for (let bit = prefix.length; bit < IPV4_BITS; bit++) {
        const address = maskAddress(cidr_MAPPED, bit + 1);
        address[bit >> 3] = (address[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
        parts.push({ address, length: bit + 1 });
    }
    return parts;
}

;// CONCATENATED MODULE: ./build/ts/core/policy/decide-address.js



const decide_address_indexes = new WeakMap();
function compareRules(a, b) {
    const byLength = b.prefix.length - a.prefix.length;
    const byAction = Number(b.rule.action === 'deny') - Number(a.rule.action === 'deny');
    return byLength || byAction || a.rule.id - b.rule.id;
}
function decide_address_indexOf(policy) {
    const known = decide_address_indexes.get(policy);
    if (known !== undefined)
        return known;
    const all = policy.rules.flatMap((rule) => {
        const prefix = rule.target.kind === 'prefix' ? parsePrefix(rule.target.text) : undefined;
        return prefix === undefined ? [] : [{ rule, prefix }];
    });
    all.sort(compareRules);
    const byLength = new Map();
    for (const one of all) {
        const { length, address } = one.prefix;
        const same = byLength.get(length) ?? new Map();
        const key = addressKey(address);
        same.set(key, [...(same.get(key) ?? []), one]);
        byLength.set(length, same);
    }
    const index = { all, byLength: [...byLength] };
    decide_address_indexes.set(policy, index);
    return index;
}
function addressRules(policy) {
    return decide_address_indexOf(policy).all;
}
function rulesContaining(policy, address, group) {
    const found = [];
    for (const [length, prefixes] of decide_address_indexOf(policy).byLength) {
        for (const one of prefixes.get(addressKey(maskAddress(address, length))) ?? []) {
            const isOfGroup = (one.rule.autoAllowedType === undefined) === (group === 'user');
            if (isOfGroup && contains(one.prefix, address))
                found.push(one);
        }
    }
    return found;
}
function decideAddress(policy, address, protocol, port, group = 'user') {
    return rulesContaining(policy, address, group).find(({ rule }) => has(pairsOf(rule.ports, rule.action), protocol, port));
}

;// CONCATENATED MODULE: ./build/ts/core/policy/expected.js



const asPolicies = new WeakMap();
function expectedPolicy(policy) {
    const known = asPolicies.get(policy);
    if (known !== undefined)
        return known;
    const { searchDomains, expectedBlocks: rules } = policy;
    const made = { default: 'allow', rules, searchDomains, expectedBlocks: [] };
    asPolicies.set(policy, made);
    return made;
}
function isExpectedName(policy, name) {
    if (policy.expectedBlocks.length === 0)
        return false;
    return decideName(expectedPolicy(policy), name, { runner: false }).rules.length > 0;
}
function isExpectedFlow(policy, flow) {
    if (policy.expectedBlocks.length === 0)
        return false;
    const expected = expectedPolicy(policy);
    const { name, address, port } = flow;
    const protocol = protocolOf(flow.protocol);
    const ofName = name === undefined ? undefined : decideName(expected, name, { runner: false });
    if (protocol !== undefined) {
        if (ofName !== undefined && ofName.byPair(protocol, port).rule !== null)
            return true;
        return address !== undefined && decideAddress(expected, address, protocol, port) !== undefined;
    }
    if (ofName?.rules.some((rule) => rule.ports === null) === true)
        return true;
    const ofAddress = address === undefined ? [] : rulesContaining(expected, address, 'user');
    return ofAddress.some(({ rule }) => rule.ports === null);
}

;// CONCATENATED MODULE: ./build/ts/daemon/knowledge.js

function knowledgeOf(policy, { proxy, identities, }, clockOffsetNs, nowMs) {
    return {
        clockOffsetNs,
        ruleOf: (id) => policy.rules[id - 1],
        nameOfGrant: (id) => proxy.grants.nameOf(id),
        identityOf: (who) => identities.of(who),
        isExpected: (flow) => isExpectedFlow(policy, flow),
        namesFor: (address, forRunner) => proxy.resolutions.namesFor(address, nowMs(), forRunner),
    };
}

;// CONCATENATED MODULE: ./build/ts/core/audit/recent-blocks.js

const MAX_ATTEMPTS = 4096;
function recent_blocks_keyOf({ address, protocol, port }) {
    return `${addressKey(address)} ${protocol} ${port}`;
}
class RecentBlocks {
    #keepMs;
    #attempts = new Map();
    #keysOf = new Map();
    #dropped = 0;
    constructor(keepMs) {
        this.#keepMs = keepMs;
    }
    get dropped() {
        return this.#dropped;
    }
    note(attempt, nowMs) {
        const key = recent_blocks_keyOf(attempt);
        const ofAddress = addressKey(attempt.address);
        this.#attempts.delete(key);
        this.#attempts.set(key, { ...attempt, atMs: nowMs });
        const keys = this.#keysOf.get(ofAddress) ?? new Set();
        keys.add(key);
        this.#keysOf.set(ofAddress, keys);
        this.#makeRoom(nowMs);
    }
    #makeRoom(nowMs) {
        for (const [key, oldest] of this.#attempts) {
            const isOver = nowMs - oldest.atMs > this.#keepMs;
            if (!isOver && this.#attempts.size <= MAX_ATTEMPTS)
                break;
            if (!isOver)
                this.#dropped++;
            this.#remove(key, oldest);
        }
    }
    #remove(key, attempt) {
        this.#attempts.delete(key);
        const ofAddress = addressKey(attempt.address);
        const keys = this.#keysOf.get(ofAddress);
        keys?.delete(key);
        if (keys?.size === 0)
            this.#keysOf.delete(ofAddress);
    }
    take(address, isCovered, nowMs) {
        const taken = [];
        for (const key of [...(this.#keysOf.get(addressKey(address)) ?? [])]) {
            const attempt = this.#attempts.get(key);
            if (attempt === undefined)
                continue;
            const isOver = nowMs - attempt.atMs > this.#keepMs;
            if (!isOver && !isCovered(attempt))
                continue;
            this.#remove(key, attempt);
            if (!isOver)
                taken.push(attempt);
        }
        return taken;
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/forward-rounds.js
const EVERY_MS = 30_000;
const forward_rounds_MAX_NAMES = 200;
const NAMES_A_SECOND = 50;
class ForwardRounds {
    #options;
    #startedAtMs = Number.NEGATIVE_INFINITY;
    #skipped = 0;
    constructor(options) {
        this.#options = options;
    }
    get skipped() {
        return this.#skipped;
    }
    start() {
        const { clock, names } = this.#options;
        const nowMs = clock.nowMs();
        if (nowMs - this.#startedAtMs < EVERY_MS)
            return;
        this.#startedAtMs = nowMs;
        const all = [...new Set(names())];
        this.#skipped += Math.max(0, all.length - forward_rounds_MAX_NAMES);
        void this.#run(all.slice(0, forward_rounds_MAX_NAMES));
    }
    async #run(names) {
        const { clock, look } = this.#options;
        for (let at = 0; at < names.length; at += NAMES_A_SECOND) {
            if (at > 0)
                await clock.after(1000);
            const some = names.slice(at, at + NAMES_A_SECOND);
            await Promise.allSettled(some.map((name) => look(name)));
        }
    }
}

;// CONCATENATED MODULE: ./build/ts/core/flow/kernel-writes.js

function policyWrite(policy) {
    const value = new Uint8Array(SIZE.policy_config);
    const view = new DataView(value.buffer);
    const at = OFFSET.policy_config;
    view.setUint32(at.generation, policy.generation, true);
    view.setUint32(at.default_verdict, policy.allowByDefault ? VERDICT.ALLOW : VERDICT.DENY, true);
    if (policy.wayOut !== undefined) {
        value.set(policy.wayOut.address, at.upstream);
        view.setUint16(at.upstream_port, policy.wayOut.port, true);
    }
    view.setUint16(at.refuse_existing, policy.allowExisting ? 0 : 1, true);
    view.setBigUint64(at.flow_idle_ns, BigInt(policy.flowIdleMs) * 1000000n, true);
    return { map: WRITABLE_MAP.POLICY, op: 'update', key: new Uint8Array(4), value };
}
function platformWrite({ id, isLeaseOnly }) {
    const key = new Uint8Array(SIZE.cgroup_key);
    new DataView(key.buffer).setBigUint64(OFFSET.cgroup_key.id, id, true);
    const value = new Uint8Array(SIZE.cgroup_value);
    const scope = isLeaseOnly ? SCOPE.LEASE : SCOPE.PLATFORM;
    new DataView(value.buffer).setUint32(OFFSET.cgroup_value.scope, scope, true);
    return { map: WRITABLE_MAP.CGROUPS, op: 'update', key, value };
}
function resolverWrite(address) {
    const key = address.slice();
    return { map: WRITABLE_MAP.RESOLVERS, op: 'update', key, value: Uint8Array.of(1, 0, 0, 0) };
}
function flowKey(flow) {
    const key = new Uint8Array(SIZE.flow_key);
    const view = new DataView(key.buffer);
    key.set(flow.src, OFFSET.flow_key.src);
    key.set(flow.dst, OFFSET.flow_key.dst);
    view.setUint16(OFFSET.flow_key.sport, flow.srcPort, true);
    view.setUint16(OFFSET.flow_key.dport, flow.dstPort, true);
    view.setUint8(OFFSET.flow_key.proto, flow.protocol);
    return key;
}
function encodeOpenFlows(flows) {
    const size = SIZE.flow_key + 8;
    const bytes = new Uint8Array(size * flows.length);
    const view = new DataView(bytes.buffer);
    for (const [index, flow] of flows.entries()) {
        bytes.set(flowKey(flow), index * size);
        view.setBigUint64(index * size + SIZE.flow_key, BigInt(flow.netns), true);
    }
    return bytes;
}
function existingWrites(flow, nowMs) {
    const value = new Uint8Array(SIZE.flow_value);
    const view = new DataView(value.buffer);
    view.setBigUint64(OFFSET.flow_value.last_ns, BigInt(Math.floor(nowMs * 1e6)), true);
    view.setUint8(OFFSET.flow_value.verdict, VERDICT.ALLOW);
    view.setUint8(OFFSET.flow_value.by, DECIDED_BY.EXISTING);
    view.setUint16(OFFSET.flow_value.scope, flow.scope, true);
    const forms = flow.translated ? [flow, { ...flow, ...flow.translated }] : [flow];
    return forms.map((form) => ({
        map: WRITABLE_MAP.EXISTING,
        op: 'update',
        key: flowKey(form),
        value,
    }));
}

;// CONCATENATED MODULE: ./build/ts/core/policy/kernel-entries.js
const KERNEL = {
    mapRules: 1,
    kindUser: 0,
    kindAuto: 1,
    scopeEveryone: 0,
    scopeRunner: 1,
    scopeDaemon: 2,
    scopePlatform: 3,
    scopeLease: 4,
    verdictDeny: 0,
    verdictAllow: 1,
    keySize: 28,
    key: { prefixlen: 0, scope: 4, kind: 8, proto: 9, port: 10, addr: 12 },
    valueSize: 8,
    value: { rule: 0, verdict: 4, prefixlen: 5 },
    headBits: 64,
};
function ruleWrite(entry) {
    const key = new Uint8Array(KERNEL.keySize);
    const keyView = new DataView(key.buffer);
    keyView.setUint32(KERNEL.key.prefixlen, KERNEL.headBits + entry.key.length, true);
    keyView.setUint32(KERNEL.key.scope, entry.scope, true);
    keyView.setUint8(KERNEL.key.kind, entry.kind);
    keyView.setUint8(KERNEL.key.proto, entry.proto);
    keyView.setUint16(KERNEL.key.port, entry.port, true);
    key.set(entry.key.address, KERNEL.key.addr);
    const value = new Uint8Array(KERNEL.valueSize);
    const valueView = new DataView(value.buffer);
    valueView.setUint32(KERNEL.value.rule, entry.rule, true);
    valueView.setUint8(KERNEL.value.verdict, entry.isAllow ? KERNEL.verdictAllow : KERNEL.verdictDeny);
    valueView.setUint8(KERNEL.value.prefixlen, entry.length);
    return { map: KERNEL.mapRules, op: 'update', key, value };
}
const kernel_entries_GRANTS_MAP = 2;
const GRANT = {
    keySize: 24,
    key: { scope: 0, kind: 4, proto: 5, port: 6, addr: 8 },
    valueSize: 16,
    value: { expires: 0, rule: 8, name: 12 },
};
function encodeGrantKey(grant) {
    const key = new Uint8Array(GRANT.keySize);
    const view = new DataView(key.buffer);
    view.setUint32(GRANT.key.scope, grant.scope, true);
    view.setUint8(GRANT.key.kind, grant.kind);
    view.setUint8(GRANT.key.proto, grant.proto);
    view.setUint16(GRANT.key.port, grant.port, true);
    key.set(grant.address, GRANT.key.addr);
    return key;
}
function encodeGrantValue(grant) {
    const value = new Uint8Array(GRANT.valueSize);
    const view = new DataView(value.buffer);
    view.setBigUint64(GRANT.value.expires, grant.expiresNs, true);
    view.setUint32(GRANT.value.rule, grant.rule, true);
    view.setUint32(GRANT.value.name, grant.name, true);
    return value;
}

;// CONCATENATED MODULE: ./build/ts/core/policy/compile.js





const { tcp, udp, icmp, icmpv6 } = PROTOCOL_NUMBERS;
function pairsOfItem(item, isV4) {
    if (item.protocol === 'icmp')
        return [{ proto: isV4 ? icmp : icmpv6, port: 0 }];
    const protos = item.protocol === 'both' ? [tcp, udp] : [PROTOCOL_NUMBERS[item.protocol]];
    return protos.map((proto) => ({ proto, port: item.port }));
}
function kernelPairs({ rule, prefix }) {
    if (rule.ports !== null) {
        return rule.ports.flatMap((item) => pairsOfItem(item, isIPv4Prefix(prefix)));
    }
    if (rule.action === 'deny')
        return [{ proto: 0, port: 0 }];
    return [tcp, udp].map((proto) => ({ proto, port: 0 }));
}
function scopesOf({ rule }) {
    if (rule.autoAllowedType === undefined) {
        return [{ scope: KERNEL.scopeEveryone, kind: KERNEL.kindUser }];
    }
    const { scopeRunner, scopePlatform, scopeLease, kindAuto } = KERNEL;
    const lease = rule.autoAllowedType === 'dhcp' ? [scopeLease] : [];
    return [scopeRunner, scopePlatform, ...lease].map((scope) => ({ scope, kind: kindAuto }));
}
function entriesOf(address) {
    const { rule, prefix } = address;
    const keys = withoutMapped(prefix);
    return scopesOf(address).flatMap((scope) => kernelPairs(address).flatMap((pair) => keys.map((key) => ({
        ...scope,
        ...pair,
        key,
        length: prefix.length,
        rule: rule.id,
        isAllow: rule.action === 'allow',
    }))));
}
function entryKey({ scope, kind, proto, port, key }) {
    return `${scope} ${kind} ${proto} ${port} ${key.length} ${addressKey(key.address)}`;
}
function compilePolicy(policy) {
    const entries = new Map();
    for (const entry of addressRules(policy).flatMap(entriesOf)) {
        const key = entryKey(entry);
        if (!entries.has(key))
            entries.set(key, entry);
    }
    return [...entries.values()].map(ruleWrite);
}
function compileUpstreams(upstreams) {
    return upstreams.flatMap(({ address, port }) => [udp, tcp].map((proto) => ruleWrite({
        scope: KERNEL.scopeDaemon,
        kind: KERNEL.kindAuto,
        proto,
        port,
        key: prefixOf(address),
        length: 128,
        rule: 0,
        isAllow: true,
    })));
}

;// CONCATENATED MODULE: ./build/ts/daemon/install-policy.js



const GENERATION = 1;
function compileSession(session, platform) {
    const { policy, times } = session;
    const upstreams = session.upstreams.map(({ address, port }) => ({
        address: needed(address),
        port,
    }));
    const wayOut = upstreams[0];
    return [
        policyWrite({
            generation: GENERATION,
            allowByDefault: policy.default === 'allow',
            wayOut,
            flowIdleMs: times.flowIdleMs,
            allowExisting: session.allowExisting,
        }),
        ...compileUpstreams(upstreams),
        ...session.resolvers.map((text) => resolverWrite(needed(text))),
        ...platform.map(platformWrite),
        ...compilePolicy(policy),
    ];
}
function needed(text) {
    const address = parseAddress(text);
    if (address === undefined)
        throw new Error(`"${text}" in the session is no address`);
    return address;
}
function literalNames(policy) {
    const names = policy.rules.flatMap(({ action, target }) => action === 'allow' && target.kind === 'name' ? [target.name] : []);
    return [...new Set(names)];
}

;// CONCATENATED MODULE: ./build/ts/daemon/late-allow.js





const FOR_ALL = ['user', 'auto'];
const FOR_RUNNER = ['runner', ...FOR_ALL];
class LateAllow {
    #options;
    #blocks;
    #rounds;
    constructor(options) {
        const { policy, keepMs, grants, lookAgain, clock } = options;
        this.#options = options;
        this.#blocks = new RecentBlocks(keepMs);
        const names = () => [...literalNames(policy), ...grants.grantedNames()];
        this.#rounds = new ForwardRounds({ names, look: lookAgain, clock });
    }
    get dropped() {
        return this.#blocks.dropped;
    }
    get skipped() {
        return this.#rounds.skipped;
    }
    refused(event, record) {
        const protocol = protocolOf(event.protocol);
        if (event.by !== DECIDED_BY.DEFAULT || event.dst === undefined || protocol === undefined)
            return;
        const attempt = { address: event.dst, protocol, port: event.dstPort, record };
        if (this.#write(attempt))
            return;
        this.#blocks.note(attempt, this.#options.clock.nowMs());
        this.#rounds.start();
    }
    granted(addresses) {
        const nowMs = this.#options.clock.nowMs();
        for (const address of addresses) {
            this.#blocks.take(address, (attempt) => this.#write(attempt), nowMs);
        }
    }
    #write({ address, protocol, port, record }) {
        const { grants, policy, logger, clock } = this.#options;
        const tables = record.origin === 'runner' ? FOR_RUNNER : FOR_ALL;
        const live = tables
            .map((table) => grants.live(table, address, protocol, port, clock.nowMs()))
            .find((grant) => grant !== undefined);
        if (live === undefined)
            return false;
        const rule = policy.rules[live.rule - 1];
        const { dst_hostnames: _names, expected: _expected, count: _count, ...attempt } = record;
        logger.logEvent({
            ...attempt,
            event_type: 'connection_late_allowed',
            dst_hostname: live.name ?? '',
            matched_rule: rule?.text ?? '',
            auto_allowed_type: rule?.autoAllowedType ?? '',
            would_deny: false,
            blocked: false,
            decided_by: 'grant',
        });
        return true;
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/notification-tracker.js
const MAX_KEYS = 10_000;
const MAX_TRIES = 5;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60_000;
function notification_tracker_keyOf(hostname, ip, port) {
    return `${hostname === '' ? ip : hostname.toLowerCase()}:${port}`;
}
function notifyOf(record, tracker) {
    if (tracker === undefined || record.reason === 'proof' || record.expected === true)
        return;
    const { dst_hostname: host = '', dst_ip: ip = '', dst_port: port = 0 } = record;
    if (record.event_type === 'connection_blocked')
        tracker.sendNotification(host, ip, port);
    else if (record.event_type === 'protocol_blocked')
        tracker.sendNotification(host, ip, 0);
}
class NotificationTracker {
    #client;
    #clock;
    #destinations = new Map();
    #queue = [];
    #sending;
    #failed = 0;
    #dropped = 0;
    constructor(client, clock) {
        this.#client = client;
        this.#clock = clock;
    }
    get failed() {
        return this.#failed;
    }
    get dropped() {
        return this.#dropped;
    }
    get pending() {
        let pending = 0;
        for (const { state } of this.#destinations.values()) {
            if (state === 'waiting' || state === 'freed')
                pending++;
        }
        return pending;
    }
    sendNotification(hostname, ip, port) {
        const key = notification_tracker_keyOf(hostname, ip, port);
        const known = this.#destinations.get(key);
        if (known !== undefined) {
            if (known.state === 'freed')
                this.#enqueue(known);
            return;
        }
        if (this.#destinations.size >= MAX_KEYS) {
            this.#dropped++;
            return;
        }
        const fresh = { hostname, ip, port, state: 'waiting', tries: 0 };
        this.#destinations.set(key, fresh);
        this.#enqueue(fresh);
    }
    async idle() {
        while (this.#sending !== undefined)
            await this.#sending;
    }
    #enqueue(destination) {
        destination.state = 'waiting';
        this.#queue.push(destination);
        this.#sending ??= this.#drain().finally(() => {
            this.#sending = undefined;
        });
    }
    async #drain() {
        for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
            await this.#send(next);
        }
    }
    async #send(destination) {
        const { hostname, ip, port } = destination;
        destination.tries++;
        try {
            await this.#client.sendCargoWallBlockNotification(hostname, ip, port);
            destination.state = 'done';
        }
        catch {
            this.#free(destination);
        }
    }
    #free(destination) {
        const { tries } = destination;
        if (tries >= MAX_TRIES) {
            destination.state = 'failed';
            this.#failed++;
            return;
        }
        destination.state = 'freed';
        const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tries - 1));
        void this.#clock.after(wait).then(() => {
            if (destination.state === 'freed' && destination.tries === tries)
                this.#enqueue(destination);
        });
    }
}

;// CONCATENATED MODULE: ./build/ts/core/audit/traffic.js





const LARGE_UPLOAD_BYTES = 100_000_000;
function isOwn({ origin, by }) {
    return by === DECIDED_BY.PROOF || (origin === ORIGIN.DAEMON && by === DECIDED_BY.DAEMON);
}
function namesOf(total, knowledge) {
    const seen = knowledge.namesFor(total.dst, total.origin === ORIGIN.RUNNER);
    const granted = total.name === 0
        ? undefined
        : (knowledge.nameOfGrant(total.name) ?? knowledge.nameInLog(address_printAddress(total.dst)));
    const isGuess = total.name !== 0 || !total.allowed;
    const name = granted ?? (isGuess ? seen[0] : undefined);
    const others = seen.filter((one) => one !== name).slice(0, MAX_OTHER_NAMES);
    return {
        ...(name === undefined ? {} : { dst_hostname: name.slice(0, caps_MAX_NAME) }),
        ...(others.length === 0 ? {} : { dst_hostnames: others }),
    };
}
function recordOf(total, knowledge, timestamp) {
    const rule = total.rule === 0 ? undefined : knowledge.ruleOf(total.rule);
    return {
        timestamp,
        event_type: 'traffic',
        dst_ip: address_printAddress(total.dst),
        ...namesOf(total, knowledge),
        dst_port: total.port,
        protocol: protocolName(total.protocol),
        process: total.comm.slice(0, MAX_PROCESS),
        matched_rule: rule?.text ?? '',
        auto_allowed_type: rule?.autoAllowedType ?? '',
        would_deny: !total.allowed,
        blocked: false,
        origin: originName(total.origin),
        decided_by: deciderName(total.by),
        bytes_out: total.bytes,
    };
}
function trafficRecords(totals, knowledge, timestamp) {
    return totals
        .filter((total) => !isOwn(total))
        .toSorted((one, other) => other.bytes - one.bytes)
        .map((total) => recordOf(total, knowledge, timestamp));
}
function hostOf({ dst_hostname = '', dst_ip }) {
    return dst_hostname === '' ? dst_ip : dst_hostname;
}
function isJobs(origin) {
    return origin === 'job' || origin === 'container' || origin === 'unknown';
}
function largeUploads(records, timestamp, threshold = LARGE_UPLOAD_BYTES) {
    const hosts = new Map();
    for (const record of records) {
        if (!isJobs(record.origin))
            continue;
        const host = hostOf(record);
        const bytes_out = (hosts.get(host)?.bytes_out ?? 0) + record.bytes_out;
        hosts.set(host, {
            timestamp,
            event_type: 'large_upload',
            would_deny: false,
            blocked: false,
            dst_ip: record.dst_hostname === undefined ? record.dst_ip : '',
            dst_hostname: record.dst_hostname ?? '',
            reason: `the job has sent more than ${threshold / 1_000_000} MB to this host`,
            bytes_out,
        });
    }
    return [...hosts.values()].filter(({ bytes_out }) => bytes_out > threshold);
}

;// CONCATENATED MODULE: ./build/ts/daemon/past.js



const KEPT = 16_384;
const NO_PAST = {
    known: new Set(),
    restarts: 0,
    clockOffsetNs: undefined,
    uploads: new Set(),
    names: new Map(),
};
class Reading {
    known = new Set();
    uploads = new Set();
    names = new Map();
    restarts = 0;
    clockOffsetNs;
    take(record) {
        switch (record.event_type) {
            case 'session_started':
                this.clockOffsetNs = BigInt(record.clock_offset_ns);
                return;
            case 'daemon_restarted':
                this.restarts++;
                return;
            case 'large_upload':
                this.uploads.add(hostOf(record));
                return;
            case 'traffic':
            case 'dns_unusual':
                return;
            default:
                if ('dst_ip' in record || 'pid' in record)
                    this.#takeEvent(record);
        }
    }
    #takeEvent(record) {
        const { event_type, dst_ip = '', dst_hostname } = record;
        if (event_type === 'connection_allowed' && dst_hostname !== undefined) {
            this.names.set(dst_ip, dst_hostname);
            if (this.names.size >= 2 * KEPT)
                this.names = new Map([...this.names].slice(-KEPT));
        }
        this.known.add(recordKey(record));
        if (this.known.size >= 2 * KEPT)
            this.known = new Set([...this.known].slice(-KEPT));
    }
}
function readPast(read, logger) {
    const reading = new Reading();
    read((line) => {
        const record = decodeRecord(line);
        if (record === undefined)
            return;
        logger.count(record);
        reading.take(record);
    });
    return reading;
}

;// CONCATENATED MODULE: ./build/ts/daemon/proof.js

const WAIT_MS = 2000;
const WANTED = new Map([
    [LAYER.CONNECT, 'a refused connect'],
    [LAYER.SENDMSG, 'a refused datagram'],
    [LAYER.TC, 'a refused frame'],
]);
class ProofEvents {
    #missing = new Map(WANTED);
    #complete = Promise.withResolvers();
    note(event) {
        if (event.by !== DECIDED_BY.PROOF || event.allowed)
            return;
        this.#missing.delete(event.layer);
        if (this.#missing.size === 0)
            this.#complete.resolve();
    }
    async complete(after) {
        const isComplete = await Promise.race([
            this.#complete.promise.then(() => true),
            after(WAIT_MS).then(() => false),
        ]);
        if (isComplete)
            return;
        throw new Error(`no event of ${[...this.#missing.values()].join(', nor of ')} arrived`);
    }
}
function parseProofLine(line) {
    let value;
    try {
        value = JSON.parse(line);
    }
    catch {
        return undefined;
    }
    if (typeof value !== 'object' || value === null || !('proof' in value))
        return undefined;
    if (value.proof === 'passed')
        return { kind: 'passed' };
    const why = 'why' in value && typeof value.why === 'string' ? value.why : 'no reason given';
    return { kind: 'failed', why };
}

;// CONCATENATED MODULE: ./build/ts/daemon/askers.js
class Askers {
    #options;
    #asking = new Map();
    constructor(options) {
        this.#options = options;
    }
    of(client) {
        const key = `${client.proto} ${client.port} ${client.address}`;
        const asking = this.#asking.get(key);
        if (asking !== undefined)
            return asking;
        const asked = this.#ask(key, client);
        this.#asking.set(key, asked);
        return asked;
    }
    async #ask(key, client) {
        const { lookUp, clock } = this.#options;
        await new Promise((resolve) => clock.soon(resolve));
        this.#asking.delete(key);
        return lookUp(client);
    }
}

;// CONCATENATED MODULE: ./build/ts/core/audit/refused-names.js

const TOLD_A_SECOND = 64;
const NAMED_A_SECOND = 64;
const TOLD_BY_ALL = 256;
const NAMED_BY_ALL = 256;
const TOLD_ALWAYS = 16;
const MAX_ASKERS = 4096;
const MAX_HELD = 8192;
const SECOND_MS = 1000;
function sourceOf({ src_ip: source = '' }) {
    return source.startsWith('127.') ? '127' : source;
}
function askerOf(record) {
    const { pid = 0, origin } = record;
    if (pid === 0)
        return `? ${sourceOf(record)}`;
    return origin === 'container' ? `${pid} ${sourceOf(record)}` : `${pid}`;
}
function refused_names_kindOf(record) {
    const { protocol, matched_rule: rule, would_deny, expected, reason, start_ticks, exe } = record;
    return [protocol, rule, would_deny, expected, reason, start_ticks, exe?.dev, exe?.ino].join('\0');
}
function refused_names_recordOf({ record, isNamed, count, last }) {
    if (count === 1)
        return record;
    const { dst_hostname: _name, query_type: _type, ...nameless } = record;
    return { ...(isNamed ? record : nameless), count, last_seen: last };
}
class RefusedNames {
    #shares = new RecentlyUsed(MAX_ASKERS);
    #held = new Map();
    #sinceMs = Number.NEGATIVE_INFINITY;
    #second = 0;
    #told = 0;
    #named = 0;
    note(record, nowMs) {
        const before = this.#beginSecond(nowMs);
        const asker = askerOf(record);
        const share = this.#shareOf(asker, nowMs);
        if (this.#isTold(share))
            return [...before, record];
        this.#hold(record, asker, share);
        return before;
    }
    take() {
        const records = [...this.#held.values()].map(refused_names_recordOf);
        this.#held.clear();
        return records;
    }
    #beginSecond(nowMs) {
        if (nowMs - this.#sinceMs < SECOND_MS)
            return this.#held.size < MAX_HELD ? [] : this.take();
        this.#sinceMs = nowMs;
        this.#second++;
        this.#told = 0;
        this.#named = 0;
        return this.take();
    }
    #shareOf(asker, nowMs) {
        const second = this.#second;
        const known = this.#shares.use(asker);
        const share = known ?? { second, told: 0, named: 0, always: TOLD_ALWAYS, atMs: nowMs, used: 0 };
        if (known === undefined)
            this.#shares.set(asker, share);
        if (share.second !== second) {
            share.always = Math.min(TOLD_ALWAYS, share.always + (nowMs - share.atMs) / SECOND_MS);
            Object.assign(share, { second, told: 0, named: 0, atMs: nowMs });
        }
        return share;
    }
    #isTold(share) {
        if (share.told >= TOLD_A_SECOND)
            return false;
        if (this.#told < TOLD_BY_ALL)
            this.#told++;
        else if (share.always >= 1)
            share.always--;
        else
            return false;
        share.told++;
        return true;
    }
    #hold(record, asker, share) {
        const kind = `${asker}\0${refused_names_kindOf(record)}`;
        const named = `${kind}\0${record.query_type}\0${record.dst_hostname}`;
        const isNamed = this.#held.has(named) || this.#takeName(share);
        const key = isNamed ? named : kind;
        const held = this.#held.get(key);
        if (held === undefined) {
            this.#held.set(key, { record, isNamed, count: 1, last: record.timestamp });
        }
        else {
            held.count++;
            held.last = record.timestamp;
        }
    }
    #takeName(share) {
        if (share.named >= NAMED_A_SECOND || this.#named >= NAMED_BY_ALL)
            return false;
        share.named++;
        this.#named++;
        return true;
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/dns-record.js




function dnsBlockedRecord(blocked, identity, { policy, timestamp }) {
    const { asker, client, name, type, rule, reason, wouldDeny } = blocked;
    return {
        timestamp,
        event_type: 'dns_blocked',
        src_ip: client.address,
        dst_hostname: name.slice(0, caps_MAX_NAME),
        protocol: client.proto.toUpperCase(),
        process: asker?.comm ?? '',
        pid: asker?.pid ?? 0,
        matched_rule: policy.rules[rule - 1]?.text ?? '',
        would_deny: wouldDeny,
        blocked: !wouldDeny,
        origin: asker === undefined ? 'unknown' : originName(asker.origin),
        ...(asker === undefined ? {} : { uid: asker.uid }),
        cgroup: asker?.cgroup ?? '',
        ...(isExpectedName(policy, name) ? { expected: true } : {}),
        query_type: typeName(type),
        reason,
        layer: 'dns',
        ...(asker === undefined ? {} : identityFields(asker, identity)),
    };
}

;// CONCATENATED MODULE: ./build/ts/daemon/refused-questions.js


class RefusedQuestions {
    #options;
    #names = new RefusedNames();
    constructor(options) {
        this.#options = options;
    }
    note(blocked) {
        const { policy, logger, identities, timestamp, nowMs } = this.#options;
        const identity = blocked.asker && identities.of(blocked.asker);
        const record = dnsBlockedRecord(blocked, identity, { policy, timestamp: timestamp() });
        logger.logEvents(this.#names.note(record, nowMs()));
    }
    flush() {
        this.#options.logger.logEvents(this.#names.take());
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/stream-room.js

const MOST_OF_RUNNER = 128;
const MOST_OF_OTHERS = 256;
const MOST_OF_PROCESS = 64;
class StreamRoom {
    refused = 0;
    #askerOf;
    #byProcess = new Map();
    #ofRunner = 0;
    #ofOthers = 0;
    constructor(askerOf) {
        this.#askerOf = askerOf;
    }
    async admit(client) {
        const asker = await this.#askerOf(client);
        const leave = asker?.scope === SCOPE.RUNNER ? this.#takeOfRunner() : this.#take(asker?.pid ?? 0);
        if (leave === undefined)
            this.refused++;
        return leave;
    }
    #takeOfRunner() {
        if (this.#ofRunner >= MOST_OF_RUNNER)
            return undefined;
        this.#ofRunner++;
        return () => {
            this.#ofRunner--;
        };
    }
    #take(pid) {
        const held = this.#byProcess.get(pid) ?? 0;
        if (this.#ofOthers >= MOST_OF_OTHERS || held >= MOST_OF_PROCESS)
            return undefined;
        this.#ofOthers++;
        this.#byProcess.set(pid, held + 1);
        return () => {
            this.#ofOthers--;
            const left = (this.#byProcess.get(pid) ?? 1) - 1;
            if (left === 0)
                this.#byProcess.delete(pid);
            else
                this.#byProcess.set(pid, left);
        };
    }
}

;// CONCATENATED MODULE: ./build/ts/core/dns/label-shape.js
const MIN_LENGTH = 10;
const ALTERNATING = 0.25;
const VOWELS = 0.25;
const LONG_NUMBER = 16;
const BITS_OF_DIGIT = Math.log2(10);
const BITS_OF_HEX = 4;
const BITS_OF_ALL = Math.log2(36);
const label_shape_NONE = 0;
const DIGIT = 1;
const HEX = 2;
const VOWEL_HEX = 3;
const VOWEL = 4;
const OTHER = 5;
const label_shape_KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
    const character = String.fromCharCode(code);
    if (/\d/u.test(character))
        return DIGIT;
    if (/[bcdf]/u.test(character))
        return HEX;
    if (/[ae]/u.test(character))
        return VOWEL_HEX;
    if (/[iouy]/u.test(character))
        return VOWEL;
    return /[a-z]/u.test(character) ? OTHER : label_shape_NONE;
});
const kinds = new Uint32Array(OTHER + 1);
function countsOf(text) {
    kinds.fill(0);
    let changes = 0;
    let before = label_shape_NONE;
    for (let at = 0; at < text.length; at++) {
        const kind = label_shape_KINDS[text.charCodeAt(at)] ?? label_shape_NONE;
        kinds[kind] = (kinds[kind] ?? 0) + 1;
        if (before !== kind && before * kind !== 0 && (before === DIGIT || kind === DIGIT))
            changes++;
        before = kind;
    }
    return { kinds, changes };
}
function bitsOf({ kinds: ofKind, changes }) {
    const of = (kind) => ofKind[kind] ?? 0;
    const digits = of(DIGIT);
    const vowels = of(VOWEL_HEX) + of(VOWEL);
    const beyondHex = of(VOWEL) + of(OTHER);
    const letters = of(HEX) + of(VOWEL_HEX) + beyondHex;
    const length = digits + letters;
    const isData = changes >= length * ALTERNATING ||
        (letters >= MIN_LENGTH && vowels <= letters * VOWELS) ||
        (digits >= LONG_NUMBER && letters < digits);
    if (length < MIN_LENGTH || !isData)
        return 0;
    if (letters === 0)
        return length * BITS_OF_DIGIT;
    return length * (beyondHex === 0 ? BITS_OF_HEX : BITS_OF_ALL);
}
function longestLabel(text) {
    let longest = 0;
    let start = 0;
    for (let end = text.indexOf('.'); end >= 0; end = text.indexOf('.', start)) {
        longest = Math.max(longest, end - start);
        start = end + 1;
    }
    return Math.max(longest, text.length - start);
}
function shapeOf(text) {
    return { longest: longestLabel(text), bits: bitsOf(countsOf(text)) };
}

;// CONCATENATED MODULE: ./build/ts/core/dns/unusual-names.js

const MANY_NAMES = 400;
const MUCH_DATA = 8192;
const MAX_FINDINGS = 2;
const NEXT_FINDING = 100;
const MAX_PARENTS = 256;
const FILTER = 1 << 14;
function fixedEnd({ target }) {
    if (target.kind === 'prefix')
        return undefined;
    if (target.kind === 'name')
        return target.exact ? undefined : target.name;
    return target.labels
        .slice(target.labels.findLastIndex((label) => label.startsWith('*')) + 1)
        .join('.');
}
function distinct(set) {
    return Math.round(-FILTER * Math.log(1 - Math.min(set, FILTER - 1) / FILTER));
}
function bitsSetBy(names) {
    return FILTER * (1 - Math.exp(-names / FILTER));
}
class NamesBelow {
    #rules;
    #seed;
    #ends = new Map();
    #parents = new Map();
    constructor(policy, seed) {
        this.#rules = policy.rules;
        this.#seed = seed;
    }
    get told() {
        return [...this.#parents.values()]
            .filter(({ findings }) => findings > 0)
            .reduce((sum, { set }) => sum + distinct(set), 0);
    }
    note(name, id) {
        const end = this.#endOf(id);
        if (end === undefined || name === end)
            return undefined;
        const parent = this.#parentOf(id);
        if (parent === undefined || !this.#isNew(parent, name))
            return undefined;
        if (parent.findings >= MAX_FINDINGS)
            return undefined;
        const isBelow = end !== '' && name.endsWith(end);
        const { longest, bits } = shapeOf(isBelow ? name.slice(0, -end.length - 1) : name);
        parent.bits += bits;
        parent.longest = Math.max(parent.longest, longest);
        return this.#findingOf(parent, name);
    }
    #endOf(id) {
        if (this.#ends.has(id))
            return this.#ends.get(id);
        const rule = this.#rules[id - 1];
        const end = rule === undefined ? undefined : fixedEnd(rule);
        this.#ends.set(id, end);
        return end;
    }
    #parentOf(id) {
        const known = this.#parents.get(id);
        const rule = this.#rules[id - 1];
        if (known !== undefined || rule === undefined)
            return known;
        if (this.#parents.size >= MAX_PARENTS)
            return undefined;
        const seen = new Uint8Array(FILTER / 8);
        const parent = { rule, seen, set: 0, bits: 0, longest: 0, findings: 0 };
        this.#parents.set(id, parent);
        return parent;
    }
    #isNew(parent, name) {
        let hash = this.#seed;
        for (let at = 0; at < name.length; at++) {
            hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
        }
        hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
        const bit = (hash ^ (hash >>> 13)) & (FILTER - 1);
        const byte = parent.seen[bit >> 3] ?? 0;
        const mask = 1 << (bit & 7);
        if ((byte & mask) !== 0)
            return false;
        parent.seen[bit >> 3] = byte | mask;
        parent.set++;
        return true;
    }
    #findingOf(parent, example) {
        const { rule, set, bits, longest, findings } = parent;
        const times = NEXT_FINDING ** findings;
        if (set < bitsSetBy(MANY_NAMES * times) && bits < MUCH_DATA * times)
            return undefined;
        parent.findings++;
        return {
            rule,
            names: distinct(set),
            bytes: Math.round(bits / 8),
            longestLabel: longest,
            example,
        };
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/unusual-questions.js


function unusual_questions_reasonOf({ rule, names, bytes, longestLabel, example }) {
    const target = rule.target.kind === 'name' ? `=${rule.target.name}` : 'names';
    const data = bytes === 0 ? '' : ` and may have carried ${bytes} bytes`;
    return (`${names} names that ${rule.text} allows were asked for, as a tunnel would: their labels have ` +
        `up to ${longestLabel} characters${data}; if nobody needs them, allow ${target} alone; ` +
        `the last one was ${example.slice(0, caps_MAX_NAME)}`);
}
function dnsUnusual(found, asker, timestamp) {
    const { rule, names, bytes, longestLabel, example } = found;
    return {
        timestamp,
        event_type: 'dns_unusual',
        ...(asker === undefined ? {} : { process: asker.comm, pid: asker.pid }),
        matched_rule: rule.text,
        would_deny: false,
        blocked: false,
        reason: unusual_questions_reasonOf(found),
        names,
        bytes,
        longest_label: longestLabel,
        example: example.slice(0, caps_MAX_NAME),
    };
}
class UnusualQuestions {
    #options;
    #below;
    constructor(options) {
        this.#options = options;
        this.#below = new NamesBelow(options.policy, options.seed);
    }
    get names() {
        return this.#below.told;
    }
    note({ question, isRunner, opinion }, client) {
        if (isRunner)
            return;
        const allowed = opinion.allow.find(({ kind }) => kind === 'user');
        if (allowed === undefined)
            return;
        const found = this.#below.note(question.name, allowed.rule);
        if (found !== undefined)
            void this.#tell(found, client);
    }
    async #tell(found, client) {
        const { logger, timestamp, asker } = this.#options;
        const now = timestamp();
        logger.logEvent(dnsUnusual(found, await asker(client), now));
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon/questions.js




class Questions {
    #askers;
    #refused;
    #unusual;
    streams;
    constructor(options) {
        const { policy, logger, identities, timestamp, clock, seed } = options;
        this.#askers = new Askers(options);
        this.streams = new StreamRoom(this.asker);
        const { nowMs } = clock;
        this.#refused = new RefusedQuestions({ policy, logger, identities, timestamp, nowMs });
        this.#unusual = new UnusualQuestions({ policy, logger, timestamp, asker: this.asker, seed });
    }
    asker = (client) => this.#askers.of(client);
    blocked = (blocked) => this.#refused.note(blocked);
    answered = (known, client) => this.#unusual.note(known, client);
    get unusualNames() {
        return this.#unusual.names;
    }
    flush() {
        this.#refused.flush();
    }
}

;// CONCATENATED MODULE: ./build/ts/core/flow/open-flow.js

function openFlowKey(flow) {
    const { netns, protocol, src, srcPort, dst, dstPort } = flow;
    return `${netns} ${protocol} ${addressKey(src)} ${srcPort} ${addressKey(dst)} ${dstPort}`;
}
function parseOpenFlows(value) {
    const entries = Array.isArray(value) ? value : [];
    const flows = entries.flatMap((entry) => parseOpenFlow(entry) ?? []);
    return { flows, undecodable: entries.length - flows.length };
}
function parseOpenFlow(entry) {
    if (typeof entry !== 'object' || entry === null)
        return undefined;
    const fields = new Map(Object.entries(entry));
    const number = (name) => {
        const value = fields.get(name);
        return typeof value === 'number' ? value : 0;
    };
    const src = parseAddress(String(fields.get('src')));
    const dst = parseAddress(String(fields.get('dst')));
    if (src === undefined || dst === undefined || number('proto') === 0)
        return undefined;
    const out = parseAddress(String(fields.get('out')));
    const comm = fields.get('comm');
    return {
        protocol: number('proto'),
        src,
        srcPort: number('sport'),
        dst,
        dstPort: number('dport'),
        pid: number('pid'),
        uid: number('uid'),
        comm: typeof comm === 'string' ? comm : '',
        scope: number('scope'),
        origin: number('origin'),
        netns: number('netns'),
        isOtherNetns: fields.get('other') === true,
        translated: out && { src: out, srcPort: number('oport') },
        localLength: number('local') < 0 ? undefined : number('local'),
    };
}

;// CONCATENATED MODULE: ./build/ts/core/policy/decide.js





const PROOF = ['203.0.113.252', '203.0.113.253', '203.0.113.254', '2001:db8::fffd'];
const decide_CANARY = '203.0.113.254';
const NEVER_LEAVES = ['127.0.0.0/8', '0.0.0.0', '::', '::1'].flatMap((text) => parsePrefix(text) ?? []);
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7']
    .concat('169.254.0.0/16', 'fe80::/10')
    .flatMap((text) => parsePrefix(text) ?? []);
const PLATFORM = ['169.254.169.254', '168.63.129.16'];
function isOneOf(address, texts) {
    return texts.some((text) => {
        const other = parseAddress(text);
        return other !== undefined && sameAddress(address, other);
    });
}
function loopbackLength(address) {
    return NEVER_LEAVES.find((prefix) => contains(prefix, address))?.length;
}
function neverLeaves(address) {
    return loopbackLength(address) !== undefined;
}
function isNotSeenHere(address) {
    return PRIVATE.some((prefix) => contains(prefix, address)) && !isOneOf(address, PLATFORM);
}
function decided(verdict, by, rule = 0) {
    return { verdict, by, rule };
}
function userRule(policy, to) {
    const protocol = protocolOf(to.protocol);
    if (protocol !== undefined)
        return decideAddress(policy, to.address, protocol, to.port);
    return rulesContaining(policy, to.address, 'user').find(({ rule }) => rule.action === 'deny' && rule.ports === null);
}
function opensPort53({ rule, prefix }) {
    const isNamed = rule.ports?.some((item) => item.port === 53 && item.protocol !== 'icmp') === true;
    return rule.action === 'allow' && prefix.length === 128 && isNamed;
}
function localLength(to, now) {
    if (isOneOf(to.address, PLATFORM))
        return undefined;
    return loopbackLength(to.address) ?? now.localLength(to.address);
}
function isInside(to, now) {
    return localLength(to, now) !== undefined || (to.isOtherNetns && isNotSeenHere(to.address));
}
function knownProtocol(to) {
    const protocol = protocolOf(to.protocol);
    if (protocol !== 'icmp')
        return protocol;
    const own = isIPv4(to.address) ? PROTOCOL_NUMBERS.icmp : PROTOCOL_NUMBERS.icmpv6;
    return to.protocol === own ? protocol : undefined;
}
function decideLocal(to, user, now) {
    const local = localLength(to, now);
    const isDenied = user?.rule.action === 'deny';
    if (local !== undefined)
        return !(isDenied && user.prefix.length >= local);
    return to.isOtherNetns && isNotSeenHere(to.address) && !isDenied;
}
function decidePort53(to, user, now) {
    if (user !== undefined && opensPort53(user) && !now.isResolver(to.address)) {
        return decided('allow', 'rule', user.rule.id);
    }
    return decided('deny', 'port-53');
}
function isWayOut(to, now) {
    const { upstream } = now;
    const isDns = protocolOf(to.protocol) === 'tcp' || protocolOf(to.protocol) === 'udp';
    return (to.sender === 'runner' &&
        now.isDaemonGone &&
        isDns &&
        upstream !== undefined &&
        upstream.port === to.port &&
        sameAddress(to.address, upstream.address));
}
function decideByGrants(policy, to, now) {
    const denial = now.grant('denial', to);
    if (denial !== undefined)
        return decided('deny', 'denial', denial.rule);
    const grant = now.grant('user', to);
    if (grant !== undefined)
        return decided('allow', 'grant', grant.rule);
    const protocol = protocolOf(to.protocol);
    const auto = protocol === undefined || to.sender === 'everyone'
        ? undefined
        : decideAddress(policy, to.address, protocol, to.port, 'auto');
    if (auto !== undefined)
        return decided(auto.rule.action, 'auto-rule', auto.rule.id);
    const autoGrant = now.grant('auto', to);
    if (autoGrant !== undefined)
        return decided('allow', 'auto-grant', autoGrant.rule);
    return decided(policy.default, 'default');
}
function decideConnection(policy, to, now) {
    if (isOneOf(to.address, PROOF)) {
        const isCanary = isOneOf(to.address, [decide_CANARY]) && to.protocol === 6;
        return decided(isCanary && now.grant('user', to) !== undefined ? 'allow' : 'deny', 'proof');
    }
    const user = userRule(policy, to);
    if (decideLocal(to, user, now))
        return decided('allow', 'local');
    if (isWayOut(to, now))
        return decided('allow', 'daemon');
    const protocol = knownProtocol(to);
    const isStreamOrDatagram = protocol === 'tcp' || protocol === 'udp';
    if (to.port === 53 && isStreamOrDatagram && !isInside(to, now)) {
        return decidePort53(to, user, now);
    }
    if (protocol === undefined)
        return decided('deny', 'protocol');
    const runner = to.sender === 'runner' ? now.grant('runner', to) : undefined;
    if (runner !== undefined)
        return decided('allow', 'runner-grant', runner.rule);
    if (user !== undefined && has(pairsOf(user.rule.ports, user.rule.action), protocol, to.port)) {
        return decided(user.rule.action, 'rule', user.rule.id);
    }
    return decideByGrants(policy, to, now);
}

;// CONCATENATED MODULE: ./build/ts/daemon/existing-flows.js









const ENOENT = -2;
async function admitExistingFlows(options) {
    const admitted = new Map();
    for (let round = 0; round < 2; round++) {
        const { flows } = parseOpenFlows(await options.loader.listFlows());
        const fresh = flows.filter((flow) => !admitted.has(openFlowKey(flow)) && !neverLeaves(flow.dst) && !options.own(flow.dst));
        await options.loader.apply(fresh.flatMap((flow) => existingWrites(flow, options.nowMs())));
        for (const flow of fresh)
            admitted.set(openFlowKey(flow), flow);
    }
    return [...admitted.values()].filter((flow) => flow.pid !== options.pid);
}
async function settleExistingFlows(flows, options) {
    const { session, loader } = options;
    const judged = flows
        .map((flow) => judge(flow, options))
        .filter(({ decision }) => decision.by !== 'local');
    const refused = judged.filter(({ isRefused }) => isRefused);
    const isClosing = session.mode === 'enforce' && refused.length > 0;
    const statuses = isClosing
        ? await loader.closeFlows(encodeOpenFlows(refused.map(({ flow }) => flow)))
        : [];
    const timestamp = options.timestamp();
    for (const one of judged) {
        const status = statuses[refused.indexOf(one)] ?? 0;
        const isOpen = status !== 0 && status !== ENOENT;
        const reason = isOpen ? `refused but not closed: error ${-status}` : '';
        record(one, reason, { ...options, timestamp });
    }
}
function judge(flow, options) {
    const decision = decideFlow(flow, options);
    const isDenied = decision.verdict === 'deny' && flow.scope !== SCOPE.RUNNER;
    const isRefused = isDenied && (decision.by !== 'default' || !options.session.allowExisting);
    return { flow, decision, isRefused };
}
function record({ flow, decision, isRefused }, reason, options) {
    const { policy } = options.session;
    const rule = policy.rules[decision.rule - 1];
    const hostname = options.proxy.nameOf(flow.dst);
    const { protocol, dst: address, dstPort: port } = flow;
    const isExpected = isRefused && isExpectedFlow(policy, { name: hostname, address, protocol, port });
    options.logger.logExistingConnection({
        timestamp: options.timestamp,
        srcIp: address_printAddress(flow.src),
        dstIp: address_printAddress(flow.dst),
        hostname: hostname ?? '',
        dstPort: flow.dstPort,
        protocol: protocolName(flow.protocol),
        process: flow.comm,
        pid: flow.pid,
        matchedRule: rule?.text ?? '',
        autoAllowedType: rule?.autoAllowedType ?? '',
        more: {
            origin: originName(flow.origin),
            uid: flow.uid,
            ...(isExpected ? { expected: true } : {}),
            reason,
        },
    }, !isRefused);
}
function decideFlow(flow, options) {
    const protocol = protocolOf(flow.protocol);
    const { grants } = options.proxy;
    return decideConnection(options.session.policy, {
        address: flow.dst,
        protocol: flow.protocol,
        port: flow.dstPort,
        sender: flow.scope === SCOPE.RUNNER ? 'runner' : 'everyone',
        isOtherNetns: flow.isOtherNetns,
    }, {
        localLength: () => flow.localLength,
        grant: (table) => protocol && grants.live(table, flow.dst, protocol, flow.dstPort, options.nowMs()),
        isDaemonGone: false,
        upstream: undefined,
        isResolver: () => false,
    });
}

;// CONCATENATED MODULE: ./build/ts/daemon/supervisor.js






const AUDIT_LOG = '/run/cargowall/records/audit.jsonl';
const CONTROL_SOCKET = '/run/cargowall/control.sock';
function hasGlobalIPv6(own) {
    const isLinkLocal = (address) => address[0] === 0xfe && ((address[1] ?? 0) & 0xc0) === 0x80;
    const isLoopback = (address) => address.slice(0, 15).every((byte) => byte === 0);
    return own.some((one) => !isIPv4(one) && !isLinkLocal(one) && !isLoopback(one));
}
async function startSession(options) {
    const { session, loader, proxy, logger, clock, proof } = options;
    const note = (text) => {
        if (session.debug)
            loader.stage({ stage: 'note', text });
    };
    const startMs = clock.nowMs();
    const writes = compileSession(session, options.platform);
    await loader.apply(writes);
    const tookMs = Math.round(clock.nowMs() - startMs);
    note(`${writes.length} policy entries are in the kernel, ${tookMs} ms`);
    await options.listen();
    const names = literalNames(session.policy);
    await proxy.preresolve(names);
    const { upstreamFailures = 0 } = proxy.totals();
    note(`${names.length} literal names looked up, ${upstreamFailures} questions without an answer`);
    const { pid } = options;
    const existing = { loader, session, proxy, own: options.isOwn, nowMs: clock.nowMs, pid };
    const flows = await admitExistingFlows(existing);
    note(`${flows.length} open flows are listed`);
    await loader.flip(session.mode === 'enforce' ? MODE.ENFORCE : MODE.AUDIT);
    options.onFlipped();
    const { nonce } = session;
    const ipv6 = hasGlobalIPv6(options.own);
    const wanted = { refused: `${nonce}.invalid`, granted: `${nonce}.cargowall.internal`, ipv6 };
    loader.stage({ stage: 'flipped', proof: wanted });
    const attempts = await options.attempts;
    if (attempts.kind === 'failed')
        throw new Error(`main's attempts: ${attempts.why}`);
    await loader.proveTc();
    note('the wall refused a raw frame on every uplink');
    await proof.complete(clock.after);
    await loader.pin();
    const timestamp = () => formatTimestamp(clock.wallNs());
    await settleExistingFlows(flows, { ...existing, logger, timestamp });
    loader.green({ stage: 'green', pid, auditLog: AUDIT_LOG, control: CONTROL_SOCKET });
}
async function resumeSession(options) {
    const { session, loader, proxy } = options;
    options.onFlipped();
    proxy.takeOver(decodeGrants(await loader.grants()));
    await options.listen();
    await proxy.preresolve(literalNames(session.policy));
}

;// CONCATENATED MODULE: ./build/ts/core/flow/traffic.js


const traffic_KEY = OFFSET.traffic_key;
const traffic_ROW = SIZE.traffic_key + SIZE.traffic_value;
const STATUS = 4;
function decodeTraffic(payload) {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    const count = Math.floor((payload.length - STATUS) / traffic_ROW);
    const totals = Array.from({ length: count }, (_, index) => decodeTotal(payload.subarray(STATUS + index * traffic_ROW, STATUS + (index + 1) * traffic_ROW)));
    return { status: view.getInt32(0, true), totals };
}
function decodeTotal(row) {
    const view = new DataView(row.buffer, row.byteOffset, row.length);
    return {
        dst: row.slice(traffic_KEY.dst, traffic_KEY.dst + SIZE.address),
        port: view.getUint16(traffic_KEY.port, true),
        protocol: view.getUint8(traffic_KEY.proto),
        rule: view.getUint32(traffic_KEY.rule, true),
        name: view.getUint32(traffic_KEY.name, true),
        origin: view.getUint8(traffic_KEY.origin),
        by: view.getUint8(traffic_KEY.by),
        allowed: view.getUint8(traffic_KEY.verdict) !== 0,
        comm: decodeComm(row.subarray(traffic_KEY.comm, SIZE.traffic_key)),
        bytes: Number(view.getBigUint64(SIZE.traffic_key + OFFSET.traffic_value.bytes, true)),
    };
}

;// CONCATENATED MODULE: ./build/ts/daemon/traffic-watch.js


class TrafficWatch {
    #options;
    #told;
    #unvisited = 0;
    #asking = false;
    constructor(options) {
        this.#options = options;
        this.#told = new Set(options.told);
    }
    get unvisited() {
        return this.#unvisited;
    }
    async look() {
        if (this.#asking)
            return;
        this.#asking = true;
        try {
            await this.read();
        }
        finally {
            this.#asking = false;
        }
    }
    async read() {
        const { loader, logger, knowledge, timestamp } = this.#options;
        const { status, totals } = decodeTraffic(await loader.traffic());
        if (status !== 0)
            this.#unvisited++;
        const records = trafficRecords(totals, knowledge, timestamp());
        const large = largeUploads(records, timestamp()).filter((one) => !this.#told.has(hostOf(one)));
        for (const one of large)
            this.#told.add(hostOf(one));
        logger.logEvents(large);
        return records;
    }
}

;// CONCATENATED MODULE: ./build/ts/core/report/destination.js
const destination_NONE = 'no single destination';
function destinationText(host, address, port) {
    const name = host === '' ? address : host;
    if (name === '')
        return destination_NONE;
    if (port === 0)
        return name;
    return `${name.includes(':') ? `[${name}]` : name}:${port}`;
}

;// CONCATENATED MODULE: ./build/ts/core/report/sanitise.js

const MAX_LINE = 4000;
const DOUBLE_COLON = /(?<![\w:.%-])[0-9a-f:]*::[0-9a-f:]*(?:\d{1,3}(?:\.\d{1,3}){3})?(?![\w:%-]|\.\S)|:(?=:)/giu;
function capped(text, most) {
    if (text.length <= most)
        return text;
    const points = [...text];
    return points.length <= most ? text : `${points.slice(0, most).join('')}…`;
}
function oneLine(text, most) {
    const line = text
        .replace(/[\r\n\t\u2028\u2029]+/gu, ' ')
        .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu, '')
        .replaceAll('##[', '# #[');
    return capped(line, most);
}
function sanitise(text, most = MAX_LINE) {
    return oneLine(text, most).replace(DOUBLE_COLON, (found) => {
        if (found === ':')
            return ': ';
        return parseAddress(found) === undefined ? found.replace(/:(?=:)/gu, ': ') : found;
    });
}
function consoleLine(text) {
    return oneLine(text, MAX_LINE).replace(/^\s*::/u, ': :');
}

;// CONCATENATED MODULE: ./build/ts/core/report/block-message.js


function plain(text) {
    return sanitise(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
function blockMessage({ hostname, ip, port, mode, job }) {
    const destination = destinationText(hostname, ip, port);
    const did = mode === 'enforce' ? 'blocked' : 'would block';
    const where = [job.repository, job.workflow, job.job].filter((part) => part !== '').join(' / ');
    const address = hostname === '' || ip === '' ? '' : ` (${ip})`;
    const text = `cargowall ${did} ${plain(destination)}${plain(address)} in ${plain(where)}`;
    return JSON.stringify({
        text,
        event: mode === 'enforce' ? 'blocked' : 'would_deny',
        hostname,
        ip,
        port,
        mode,
        repository: job.repository,
        workflow: job.workflow,
        job: job.job,
        run_id: job.runId,
        run_attempt: job.runAttempt,
    });
}

;// CONCATENATED MODULE: ./build/ts/daemon/webhook.js

function portOf(url) {
    if (url.port !== '')
        return Number(url.port);
    return url.protocol === 'https:' ? 443 : 80;
}
class WebhookClient {
    #parts;
    constructor(parts) {
        this.#parts = parts;
    }
    async sendCargoWallBlockNotification(hostname, ip, port) {
        const { mode, job, reach, post } = this.#parts;
        const url = new URL(this.#parts.url);
        const host = url.hostname.replace(/^\[|\]$/gu, '');
        const addresses = await reach(host, portOf(url));
        await post(url, addresses, blockMessage({ hostname, ip, port, mode, job }));
    }
}

;// CONCATENATED MODULE: external "node:fs"
const external_node_fs_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:fs");
;// CONCATENATED MODULE: ./build/ts/edge/host/audit-file.js

const PIECE = 256 * 1024;
const encoder = new TextEncoder();
class AuditFile {
    #fd;
    #room = new Uint8Array(PIECE);
    #isTorn = false;
    constructor(fd) {
        this.#fd = fd;
    }
    append(lines) {
        let rest = this.#isTorn ? `\n${lines}` : lines;
        let hasWritten = false;
        try {
            while (rest !== '') {
                const { read, written } = encoder.encodeInto(rest, this.#room);
                for (let at = 0; at < written; hasWritten = true) {
                    at += (0,external_node_fs_namespaceObject.writeSync)(this.#fd, this.#room, at, written - at);
                }
                rest = rest.slice(read);
            }
            this.#isTorn = false;
        }
        catch (error) {
            this.#isTorn ||= hasWritten;
            throw error;
        }
    }
}
function readLines(path, onLine) {
    const fd = (0,external_node_fs_namespaceObject.openSync)(path, 'r');
    const piece = new Uint8Array(PIECE);
    const decoder = new TextDecoder();
    let rest = '';
    for (let size = (0,external_node_fs_namespaceObject.readSync)(fd, piece); size > 0; size = (0,external_node_fs_namespaceObject.readSync)(fd, piece)) {
        const lines = (rest + decoder.decode(piece.subarray(0, size), { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        lines.forEach(onLine);
    }
}

;// CONCATENATED MODULE: ./build/ts/edge/host/clock.js
const originMs = Number(process.hrtime.bigint() / 1000n) / 1000 - performance.now();
function nowMs() {
    return originMs + performance.now();
}
function nowNs() {
    return process.hrtime.bigint();
}
function after(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
function every(ms, work) {
    setInterval(work, ms);
}
function soon(run) {
    setImmediate(run);
}

;// CONCATENATED MODULE: external "node:net"
const external_node_net_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:net");
;// CONCATENATED MODULE: ./build/ts/edge/host/dns-handler.js
function withoutZone(text) {
    const at = text.indexOf('%');
    return at < 0 ? text : text.slice(0, at);
}

;// CONCATENATED MODULE: ./build/ts/edge/host/dns-stream.js
const LENGTH_SIZE = 2;
class DnsStream {
    #pieces = [];
    #size = 0;
    #needed = LENGTH_SIZE;
    take(bytes) {
        this.#pieces.push(bytes.slice());
        this.#size += bytes.length;
        if (this.#size < this.#needed)
            return [];
        const all = this.#joined();
        const messages = [];
        let at = 0;
        while (at + LENGTH_SIZE <= all.length) {
            const end = at + LENGTH_SIZE + lengthAt(all, at);
            if (end > all.length)
                break;
            messages.push(all.slice(at + LENGTH_SIZE, end));
            at = end;
        }
        const rest = all.slice(at);
        this.#pieces = [rest];
        this.#size = rest.length;
        this.#needed = rest.length < LENGTH_SIZE ? LENGTH_SIZE : LENGTH_SIZE + lengthAt(rest, 0);
        return messages;
    }
    #joined() {
        const all = new Uint8Array(this.#size);
        let at = 0;
        for (const piece of this.#pieces) {
            all.set(piece, at);
            at += piece.length;
        }
        return all;
    }
}
function lengthAt(bytes, at) {
    return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
function framed(message) {
    const frame = new Uint8Array(message.length + 2);
    frame[0] = message.length >> 8;
    frame[1] = message.length & 0xff;
    frame.set(message, 2);
    return frame;
}

;// CONCATENATED MODULE: ./build/ts/edge/host/dns-tcp.js



const MAX_CONNECTIONS = 4096;
const dns_tcp_MAX_AT_WORK = 32;
const dns_tcp_IDLE_MS = 10_000;
const MESSAGE_MS = 10_000;
const MAX_UNSENT = 256 * 1024;
function arrivalOf({ remoteAddress: address, remotePort: port }) {
    if (address === undefined || port === undefined)
        return undefined;
    return { address: withoutZone(address), port, proto: 'tcp' };
}
async function receive(socket, options) {
    const client = arrivalOf(socket);
    const leave = client && (await options.admit(client));
    if (client === undefined || leave === undefined) {
        socket.destroy();
    }
    else if (socket.destroyed) {
        leave();
    }
    else {
        socket.once('close', leave);
        serve(socket, client, options);
    }
}
function serve(socket, client, options) {
    const stream = new DnsStream();
    let atWork = 0;
    let isHeard = false;
    const endWhenAnswered = () => {
        if (isHeard && atWork === 0)
            socket.end();
    };
    const answerOne = async (message) => {
        atWork++;
        if (atWork >= dns_tcp_MAX_AT_WORK)
            socket.pause();
        const reply = await options.handle(message, client);
        atWork--;
        if (reply === undefined)
            socket.destroy();
        else if (!socket.destroyed)
            socket.write(framed(reply));
        if (socket.writableLength > MAX_UNSENT)
            socket.destroy();
        else if (atWork < dns_tcp_MAX_AT_WORK)
            socket.resume();
        endWhenAnswered();
    };
    let whole = setTimeout(() => socket.destroy(), MESSAGE_MS);
    socket.on('data', (bytes) => {
        for (const message of stream.take(bytes)) {
            clearTimeout(whole);
            whole = setTimeout(() => socket.destroy(), MESSAGE_MS);
            answerOne(message).catch(options.onError);
        }
    });
    socket.on('end', () => {
        isHeard = true;
        endWhenAnswered();
    });
    socket.on('close', () => clearTimeout(whole));
}
function adoptDnsTcp(options) {
    const clients = new Set();
    const server = (0,external_node_net_namespaceObject.createServer)({ noDelay: true, allowHalfOpen: true }, (socket) => {
        clients.add(socket);
        socket.setTimeout(dns_tcp_IDLE_MS, () => socket.destroy());
        socket.on('error', () => undefined);
        socket.on('close', () => clients.delete(socket));
        receive(socket, options).catch(options.onError);
    });
    server.maxConnections = MAX_CONNECTIONS;
    server.on('drop', options.onDrop);
    return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ fd: options.fd }, () => {
            server.off('error', reject);
            server.on('error', options.onError);
            resolve({
                close: () => {
                    server.close();
                    for (const socket of clients)
                        socket.destroy();
                },
            });
        });
    });
}

;// CONCATENATED MODULE: external "node:dgram"
const external_node_dgram_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:dgram");
;// CONCATENATED MODULE: ./build/ts/edge/host/dns-udp.js



function noLookup(address, _options, done) {
    done(null, address, (0,external_node_net_namespaceObject.isIPv6)(address) ? 6 : 4);
}
function ignore() { }
function adoptDnsUdp(options) {
    const { fd, runner: isRunner, handle, again, onError } = options;
    const type = (0,external_node_net_namespaceObject.isIPv6)(options.address) ? 'udp6' : 'udp4';
    const socket = (0,external_node_dgram_namespaceObject.createSocket)({ type, lookup: noLookup });
    socket.on('message', (message, { address, port }) => {
        const send = (reply) => {
            if (reply !== undefined)
                socket.send(reply, port, address, ignore);
        };
        const reply = again(message, isRunner);
        if (reply !== undefined)
            return send(reply);
        const client = { address: withoutZone(address), port, proto: 'udp', isRunner };
        handle(message, client).then(send).catch(onError);
    });
    return new Promise((resolve, reject) => {
        socket.once('error', reject);
        socket.bind({ fd }, () => {
            socket.off('error', reject);
            socket.on('error', onError);
            resolve({ close: () => socket.close() });
        });
    });
}

;// CONCATENATED MODULE: ./build/ts/edge/host/cgroup.js

const CGROUP2_SUPER_MAGIC = 0x63677270;
function readMounts() {
    try {
        return (0,external_node_fs_namespaceObject.readFileSync)('/proc/self/mounts', 'utf8');
    }
    catch {
        return '';
    }
}
function cgroupMount(mounts = readMounts()) {
    for (const line of mounts.split('\n')) {
        const [, path, type] = line.split(' ');
        if (type === 'cgroup2' && path !== undefined)
            return path;
    }
    return undefined;
}
function chooseCgroup(input, hosted, mount) {
    if (input === 'root' || (input === 'auto' && hosted)) {
        return { choice: { path: mount, root: true } };
    }
    if (input === 'auto') {
        return {
            error: 'input cgroup: "auto" means the whole machine on GitHub-hosted runners only. On this runner say "root", or the path of the cgroup2 directory that holds the job',
        };
    }
    if (!input.startsWith('/')) {
        return { error: `input cgroup: found "${input}", expected auto, root or an absolute path` };
    }
    if (!existsSync(input) || !statSync(input).isDirectory()) {
        return { error: `input cgroup: ${input} is no directory. Name one below ${mount}` };
    }
    if (statfsSync(input).type !== CGROUP2_SUPER_MAGIC) {
        return { error: `input cgroup: ${input} is not in cgroup2. Name a directory below ${mount}` };
    }
    return { choice: { path: input, root: false } };
}

;// CONCATENATED MODULE: ./build/ts/edge/host/platform.js


const DMI = '/sys/class/dmi/id';
const AGENTS = ['walinuxagent', 'systemd-networkd', 'cloud-init'];
const LEASE_ONLY = ['NetworkManager', 'networking', 'dhcpcd'];
const LEASE_TEMPLATES = ['ifup', 'dhcpcd'];
function readSmall(path) {
    try {
        return (0,external_node_fs_namespaceObject.readFileSync)(path, 'utf8').trim();
    }
    catch {
        return '';
    }
}
function readCloudFacts(provider, read = readSmall) {
    return {
        provider,
        systemVendor: read(`${DMI}/sys_vendor`),
        chassisAssetTag: read(`${DMI}/chassis_asset_tag`),
    };
}
function namesIn(folder) {
    try {
        return (0,external_node_fs_namespaceObject.readdirSync)(folder);
    }
    catch {
        return [];
    }
}
function instancesOf(template, slice) {
    return [slice, `${slice}/system-${template}.slice`].flatMap((folder) => namesIn(folder)
        .filter((name) => name.startsWith(`${template}@`) && name.endsWith('.service'))
        .map((name) => `${folder}/${name}`));
}
function platformCgroups(mount = cgroupMount()) {
    if (mount === undefined)
        return [];
    const slice = `${mount}/system.slice`;
    const found = (isLeaseOnly) => (path) => {
        try {
            const { ino } = (0,external_node_fs_namespaceObject.statSync)(path, { bigint: true });
            return [{ id: ino, isLeaseOnly }];
        }
        catch {
            return [];
        }
    };
    const service = (name) => `${slice}/${name}.service`;
    const leaseOnly = [
        ...LEASE_ONLY.map(service),
        ...LEASE_TEMPLATES.flatMap((template) => instancesOf(template, slice)),
    ];
    return [...AGENTS.map(service).flatMap(found(false)), ...leaseOnly.flatMap(found(true))];
}

;// CONCATENATED MODULE: external "node:crypto"
const external_node_crypto_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:crypto");
;// CONCATENATED MODULE: ./build/ts/edge/host/upstream.js




const PORTS_PER_SERVER = 8;
const QUESTIONS_PER_PORT = 256;
const RETRANSMIT_MS = 600;
const TICK_MS = 50;
const MAX_WAITING = 4096;
const upstream_HEADER_SIZE = 12;
class UpstreamTransportError extends Error {
    code;
    constructor(code, message, cause) {
        super(message, { cause });
        this.name = 'UpstreamTransportError';
        this.code = code;
    }
}
function lower(byte) {
    return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
function questionEnd(message) {
    let at = upstream_HEADER_SIZE;
    while (at < message.length && (message[at] ?? 0) !== 0)
        at += 1 + (message[at] ?? 0);
    return at + 5;
}
function answers(reply, message) {
    const end = questionEnd(message);
    if (reply.length < end || ((reply[2] ?? 0) & 0x80) === 0)
        return false;
    if (reply[4] !== 0 || reply[5] !== 1)
        return false;
    for (let at = upstream_HEADER_SIZE; at < end; at++) {
        if (lower(reply[at] ?? 0) !== lower(message[at] ?? 0))
            return false;
    }
    return true;
}
function upstream_withId(message, id) {
    const copy = message.slice();
    copy[0] = id >> 8;
    copy[1] = id & 0xff;
    return copy;
}
class Port {
    #socket;
    #waiting = new Map();
    #used = 0;
    #connected = false;
    #closed = false;
    broken = false;
    constructor(server) {
        this.#socket = (0,external_node_dgram_namespaceObject.createSocket)({ type: (0,external_node_net_namespaceObject.isIPv6)(server.address) ? 'udp6' : 'udp4' });
        this.#socket.unref();
        this.#socket.on('message', (reply) => this.#take(reply));
        this.#socket.on('error', (error) => this.#fail(error));
        this.#socket.connect(server.port, server.address, (error) => {
            if (error)
                return this.#fail(error);
            this.#connected = true;
            for (const { message } of this.#waiting.values())
                this.#socket.send(message);
        });
    }
    get isSpent() {
        return this.broken || this.#used >= QUESTIONS_PER_PORT;
    }
    get isDone() {
        return this.isSpent && this.#waiting.size === 0;
    }
    #take(reply) {
        if (reply.length < upstream_HEADER_SIZE)
            return;
        const id = ((reply[0] ?? 0) << 8) | (reply[1] ?? 0);
        const waiting = this.#waiting.get(id);
        if (waiting === undefined || !answers(reply, waiting.message))
            return;
        this.#end(id);
        waiting.resolve(reply);
    }
    #end(id) {
        this.#waiting.delete(id);
        if (this.isDone)
            this.close();
    }
    #fail(error) {
        this.broken = true;
        if (!this.#closed)
            this.#socket.close();
        this.#closed = true;
        const failure = new UpstreamTransportError('transport', `the resolver: ${error.message}`, error);
        const all = [...this.#waiting.values()];
        this.#waiting.clear();
        for (const waiting of all)
            waiting.reject(failure);
    }
    #freeId() {
        let id = (0,external_node_crypto_namespaceObject.randomInt)(0x10000);
        while (this.#waiting.has(id))
            id = (0,external_node_crypto_namespaceObject.randomInt)(0x10000);
        return id;
    }
    ask(question, timeoutMs) {
        this.#used++;
        const id = this.#freeId();
        const message = upstream_withId(question, id);
        if (this.#connected)
            this.#socket.send(message);
        return new Promise((resolve, reject) => {
            const sinceMs = performance.now();
            this.#waiting.set(id, { message, timeoutMs, sinceMs, resolve, reject, sentTwice: false });
        });
    }
    tick(nowMs) {
        for (const [id, waiting] of this.#waiting) {
            const { message, timeoutMs, sinceMs, sentTwice } = waiting;
            if (nowMs - sinceMs >= timeoutMs) {
                const spent = `no reply in ${Math.round(timeoutMs)} ms`;
                this.#end(id);
                waiting.reject(new UpstreamTransportError('timeout', spent));
            }
            else if (!sentTwice && nowMs - sinceMs >= RETRANSMIT_MS) {
                waiting.sentTwice = true;
                if (timeoutMs > RETRANSMIT_MS * 1.5)
                    this.#socket.send(message);
            }
        }
    }
    close() {
        this.#fail(new Error('closed'));
    }
}
function askTcp(server, question, timeoutMs) {
    const message = upstream_withId(question, (0,external_node_crypto_namespaceObject.randomInt)(0x10000));
    return new Promise((resolve, reject) => {
        const stream = new DnsStream();
        const socket = (0,external_node_net_namespaceObject.connect)({ host: server.address, port: server.port, noDelay: true });
        const end = (error) => {
            socket.destroy();
            reject(error);
        };
        const late = () => end(new UpstreamTransportError('timeout', `no reply in ${Math.round(timeoutMs)} ms`));
        const timer = setTimeout(late, timeoutMs);
        socket.on('connect', () => socket.write(framed(message)));
        socket.on('data', (bytes) => {
            const reply = stream.take(bytes).find((one) => {
                return one[0] === message[0] && one[1] === message[1] && answers(one, message);
            });
            if (reply === undefined)
                return;
            socket.destroy();
            resolve(reply);
        });
        socket.on('error', (error) => end(new UpstreamTransportError('transport', error.message, error)));
        socket.on('close', () => {
            clearTimeout(timer);
            reject(new UpstreamTransportError('transport', 'the resolver closed the connection'));
        });
    });
}
class UpstreamClient {
    #current = new Map();
    #ports = new Set();
    #waiting = 0;
    #timer;
    ask(server, message, proto, timeoutMs) {
        if (this.#waiting >= MAX_WAITING) {
            const error = new UpstreamTransportError('overloaded', `${MAX_WAITING} questions are waiting`);
            return Promise.reject(error);
        }
        this.#waiting++;
        const asked = proto === 'tcp'
            ? askTcp(server, message, timeoutMs)
            : this.#port(server).ask(message, timeoutMs);
        this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref();
        return asked.finally(() => {
            this.#waiting--;
        });
    }
    #tick() {
        const nowMs = performance.now();
        for (const port of this.#ports) {
            port.tick(nowMs);
            if (port.isDone)
                this.#ports.delete(port);
        }
        if (this.#waiting > 0)
            return;
        clearInterval(this.#timer);
        this.#timer = undefined;
    }
    #port(server) {
        const key = `${server.address} ${server.port}`;
        const current = this.#current.get(key) ?? [];
        this.#current.set(key, current);
        const index = (0,external_node_crypto_namespaceObject.randomInt)(PORTS_PER_SERVER);
        const port = current[index];
        if (port !== undefined && !port.isSpent)
            return port;
        const fresh = new Port(server);
        current[index] = fresh;
        this.#ports.add(fresh);
        return fresh;
    }
    close() {
        for (const port of this.#ports)
            port.close();
        this.#ports.clear();
        this.#current.clear();
    }
}

;// CONCATENATED MODULE: external "node:http"
const external_node_http_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:http");
;// CONCATENATED MODULE: external "node:https"
const external_node_https_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:https");
;// CONCATENATED MODULE: external "node:tls"
const external_node_tls_namespaceObject = __WEBPACK_EXTERNAL_createRequire(import.meta.url)("node:tls");
;// CONCATENATED MODULE: ./build/ts/edge/host/webhook-post.js





const TIMEOUT_MS = 10_000;
const CA_BUNDLES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];
function machineCertificates() {
    return CA_BUNDLES.flatMap((path) => {
        try {
            return [(0,external_node_fs_namespaceObject.readFileSync)(path, 'utf8')];
        }
        catch {
            return [];
        }
    });
}
function lookupOf(addresses) {
    const found = addresses.map((address) => ({
        address: address_printAddress(address),
        family: isIPv4(address) ? 4 : 6,
    }));
    return (_host, options, callback) => {
        const [first] = found;
        if (first === undefined)
            callback(new Error('the webhook has no address'), '', 0);
        else if (options.all === true)
            callback(null, found);
        else
            callback(null, first.address, first.family);
    };
}
function postJson(url, addresses, body) {
    const isTls = url.protocol === 'https:';
    return new Promise((resolve, reject) => {
        const options = {
            method: 'POST',
            agent: false,
            lookup: lookupOf(addresses),
            signal: AbortSignal.timeout(TIMEOUT_MS),
            headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        };
        const request = isTls
            ? (0,external_node_https_namespaceObject.request)(url, { ...options, ca: [...external_node_tls_namespaceObject.rootCertificates, ...machineCertificates()] })
            : (0,external_node_http_namespaceObject.request)(url, options);
        request.on('error', reject);
        request.on('response', (response) => {
            const { statusCode = 0 } = response;
            response.destroy();
            if (statusCode >= 200 && statusCode < 300)
                resolve();
            else
                reject(new Error(`the webhook answered ${statusCode}`));
        });
        request.end(body);
    });
}

;// CONCATENATED MODULE: ./build/ts/core/wire/frames.js
const FRAME_HEADER = 12;
const FRAME_MAX = 8 * 1024 * 1024;
const RESENT = 1;
const FRAME = {
    HELLO: 1,
    ACK: 2,
    EVENTS: 3,
    OWNER_REPLY: 4,
    FLOWS: 5,
    CONTROL: 6,
    COUNTERS: 7,
    NOTICE: 8,
    CLOSED: 9,
    TRAFFIC: 10,
    IDENTITIES: 11,
    GRANTS: 12,
    APPLY: 32,
    FLIP: 33,
    EVENTS_WRITTEN: 34,
    OWNER: 35,
    LIST_FLOWS: 36,
    CONTROL_REPLY: 37,
    GET_COUNTERS: 38,
    STAGE: 39,
    HEARTBEAT: 40,
    PROVE_TC: 41,
    PIN: 42,
    GREEN: 43,
    CLOSE_FLOWS: 44,
    GET_TRAFFIC: 45,
    GET_GRANTS: 46,
};
class FrameError extends Error {
    constructor(message) {
        super(message);
        this.name = 'FrameError';
    }
}
function encodeFrame(type, seq, payload) {
    if (payload.length > FRAME_MAX) {
        throw new FrameError(`a frame of ${payload.length} bytes, at most ${FRAME_MAX} are allowed`);
    }
    const bytes = new Uint8Array(FRAME_HEADER + payload.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, payload.length, true);
    view.setUint16(4, type, true);
    view.setUint32(8, seq, true);
    bytes.set(payload, FRAME_HEADER);
    return bytes;
}
class FrameReader {
    #pieces = [];
    #size = 0;
    take(bytes) {
        this.#pieces.push(bytes);
        this.#size += bytes.length;
        if (this.#size < this.#wanted())
            return [];
        const all = this.#joined();
        const frames = [];
        let at = 0;
        while (all.length - at >= FRAME_HEADER) {
            const view = new DataView(all.buffer, all.byteOffset + at, all.length - at);
            const length = checkedLength(view.getUint32(0, true));
            const end = at + FRAME_HEADER + length;
            if (end > all.length)
                break;
            frames.push({
                type: view.getUint16(4, true),
                flags: view.getUint16(6, true),
                seq: view.getUint32(8, true),
                payload: all.subarray(at + FRAME_HEADER, end),
            });
            at = end;
        }
        this.#pieces = at < all.length ? [all.subarray(at)] : [];
        this.#size = all.length - at;
        return frames;
    }
    #wanted() {
        const [first] = this.#pieces;
        if (first === undefined || first.length < FRAME_HEADER)
            return FRAME_HEADER;
        return (FRAME_HEADER + checkedLength(new DataView(first.buffer, first.byteOffset).getUint32(0, true)));
    }
    #joined() {
        const [only] = this.#pieces;
        if (only !== undefined && this.#pieces.length === 1)
            return only;
        const all = new Uint8Array(this.#size);
        let at = 0;
        for (const piece of this.#pieces) {
            all.set(piece, at);
            at += piece.length;
        }
        return all;
    }
}
function checkedLength(length) {
    if (length > FRAME_MAX) {
        throw new FrameError(`a frame of ${length} bytes, at most ${FRAME_MAX} are allowed`);
    }
    return length;
}

;// CONCATENATED MODULE: ./build/ts/core/wire/loader-messages.js

class LoaderMessageError extends Error {
    constructor(message) {
        super(message);
        this.name = 'LoaderMessageError';
    }
}
const APPLY_HEAD = 8;
const OP_UPDATE = 1;
const OP_DELETE = 2;
function encodeApply(writes) {
    const size = writes.reduce((sum, one) => sum + APPLY_HEAD + one.key.length + one.value.length, 0);
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    let at = 0;
    for (const { op, map, key, value } of writes) {
        view.setUint8(at, op === 'update' ? OP_UPDATE : OP_DELETE);
        view.setUint8(at + 1, map);
        view.setUint16(at + 2, key.length, true);
        view.setUint16(at + 4, value.length, true);
        bytes.set(key, at + APPLY_HEAD);
        bytes.set(value, at + APPLY_HEAD + key.length);
        at += APPLY_HEAD + key.length + value.length;
    }
    return bytes;
}
function decodeAck(payload) {
    if (payload.length !== 8)
        throw new LoaderMessageError(`an ACK of ${payload.length} bytes`);
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    return { status: view.getInt32(0, true), index: view.getUint32(4, true) };
}
function decodeStatuses(payload) {
    if (payload.length % 4 !== 0)
        throw new LoaderMessageError(`CLOSED of ${payload.length} bytes`);
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    return Array.from({ length: payload.length / 4 }, (_, index) => view.getInt32(index * 4, true));
}
function decodeControl(payload) {
    if (payload.length < 12)
        throw new LoaderMessageError(`a CONTROL of ${payload.length} bytes`);
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    return {
        client: view.getUint32(0, true),
        peer: { uid: view.getUint32(4, true), pid: view.getUint32(8, true) },
        line: new TextDecoder().decode(payload.subarray(12)),
    };
}
function encodeControlReply(client, line) {
    const text = new TextEncoder().encode(line);
    const bytes = new Uint8Array(4 + text.length);
    new DataView(bytes.buffer).setUint32(0, client, true);
    bytes.set(text, 4);
    return bytes;
}
function decodeCounters(payload) {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    return Array.from({ length: Math.floor(payload.length / 8) }, (_, index) => Number(view.getBigUint64(index * 8, true)));
}
function decodeHello(payload) {
    const value = JSON.parse(new TextDecoder().decode(payload));
    return {
        ...value,
        own: value.own.map(neededAddress),
        monotonicNs: BigInt(value.monotonicNs),
        realtimeNs: BigInt(value.realtimeNs),
    };
}
function neededAddress(text) {
    const address = parseAddress(text);
    if (address === undefined)
        throw new LoaderMessageError(`"${text}" is no address`);
    return address;
}

;// CONCATENATED MODULE: ./build/ts/edge/kernel/loader-channel.js



const loader_channel_NO_BYTES = new Uint8Array(0);
class LoaderRefusal extends Error {
    status;
    constructor(what, status, index) {
        super(`the loader refused ${what}: error ${-status} at entry ${index}`);
        this.name = 'LoaderRefusal';
        this.status = status;
    }
}
class LoaderChannel {
    #socket;
    #reader = new FrameReader();
    #waiting = new Map();
    #listener;
    #sequence = 0;
    constructor(fd, listener) {
        this.#listener = listener;
        this.#socket = new external_node_net_namespaceObject.Socket({ fd, readable: true, writable: true });
        this.#socket.on('data', (bytes) => this.#take(bytes));
        this.#socket.on('error', (error) => listener.onEnd(error.message));
        this.#socket.on('close', () => listener.onEnd('the loader closed its channel'));
    }
    #take(bytes) {
        try {
            for (const frame of this.#reader.take(bytes))
                this.#dispatch(frame);
        }
        catch (error) {
            this.#listener.onEnd(error instanceof Error ? error.message : String(error));
        }
    }
    #dispatch(frame) {
        switch (frame.type) {
            case FRAME.HELLO:
                this.#listener.onHello(decodeHello(frame.payload));
                return;
            case FRAME.IDENTITIES:
                this.#listener.onIdentities(frame.payload);
                return;
            case FRAME.EVENTS: {
                const written = () => this.#send(FRAME.EVENTS_WRITTEN, frame.seq, loader_channel_NO_BYTES);
                this.#listener.onEvents(frame.payload, (frame.flags & RESENT) !== 0, written);
                return;
            }
            case FRAME.CONTROL:
                this.#listener.onControl(decodeControl(frame.payload));
                return;
            case FRAME.NOTICE:
                this.#listener.onNotice(JSON.parse(new TextDecoder().decode(frame.payload)));
                return;
            default: {
                const answer = this.#waiting.get(frame.seq);
                this.#waiting.delete(frame.seq);
                answer?.(frame);
            }
        }
    }
    #send(type, seq, payload) {
        if (this.#socket.writableCorked === 0) {
            this.#socket.cork();
            process.nextTick(() => this.#socket.uncork());
        }
        this.#socket.write(encodeFrame(type, seq, payload));
    }
    #next() {
        this.#sequence = (this.#sequence + 1) >>> 0;
        return this.#sequence;
    }
    #ask(type, payload) {
        const seq = this.#next();
        return new Promise((resolve) => {
            this.#waiting.set(seq, (frame) => resolve(frame.payload));
            this.#send(type, seq, payload);
        });
    }
    async #askAck(what, type, payload) {
        const { status, index } = decodeAck(await this.#ask(type, payload));
        if (status !== 0)
            throw new LoaderRefusal(what, status, index);
    }
    async apply(writes) {
        if (writes.length > 0)
            await this.#askAck('map entries', FRAME.APPLY, encodeApply(writes));
    }
    async flip(mode) {
        const payload = new Uint8Array(4);
        new DataView(payload.buffer).setUint32(0, mode, true);
        await this.#askAck('the mode', FRAME.FLIP, payload);
    }
    owner(key) {
        return this.#ask(FRAME.OWNER, key);
    }
    async listFlows() {
        return JSON.parse(new TextDecoder().decode(await this.#ask(FRAME.LIST_FLOWS, loader_channel_NO_BYTES)));
    }
    async closeFlows(flows) {
        return decodeStatuses(await this.#ask(FRAME.CLOSE_FLOWS, flows));
    }
    async counters() {
        return decodeCounters(await this.#ask(FRAME.GET_COUNTERS, loader_channel_NO_BYTES));
    }
    traffic() {
        return this.#ask(FRAME.GET_TRAFFIC, loader_channel_NO_BYTES);
    }
    grants() {
        return this.#ask(FRAME.GET_GRANTS, loader_channel_NO_BYTES);
    }
    proveTc() {
        return this.#askAck('the proof of the wall', FRAME.PROVE_TC, loader_channel_NO_BYTES);
    }
    pin() {
        return this.#askAck('to pin the programs', FRAME.PIN, loader_channel_NO_BYTES);
    }
    stage(line) {
        this.#send(FRAME.STAGE, this.#next(), new TextEncoder().encode(JSON.stringify(line)));
    }
    green(line) {
        this.#send(FRAME.GREEN, this.#next(), new TextEncoder().encode(JSON.stringify(line)));
    }
    reply(client, line) {
        this.#send(FRAME.CONTROL_REPLY, this.#next(), encodeControlReply(client, JSON.stringify(line)));
    }
    heartbeat() {
        this.#send(FRAME.HEARTBEAT, this.#next(), loader_channel_NO_BYTES);
    }
}

;// CONCATENATED MODULE: ./build/ts/daemon.js






























const LOADER_FD = 3;
const daemon_AUDIT_LOG = '/run/cargowall/records/audit.jsonl';
const NAMES_A_LIFE = 1 << 20;
const CLOUD_PROVIDER = process.env['CARGOWALL_CLOUD_PROVIDER'] ?? '';
const HEARTBEAT_MS = 1000;
const SWEEP_MS = 5000;
const attempts = Promise.withResolvers();
const identities = new Identities();
let served;
const channel = new LoaderChannel(LOADER_FD, {
    onHello: (hello) => {
        run(hello).catch(fail);
    },
    onIdentities: (bytes) => identities.tell(bytes),
    onEvents: (bytes, resent, written) => {
        served?.pipeline.processBlockedEvents(bytes, resent);
        written();
    },
    onControl: (request) => {
        if (request.client === 0) {
            const word = parseProofLine(request.line);
            if (word !== undefined)
                attempts.resolve(word);
        }
        else {
            served?.control.answer(request).catch(fail);
        }
    },
    onNotice: (notice) => {
        served?.logger.logEvent(tamper(served.timestamp(), noticeText(notice)));
    },
    onEnd: () => {
        served?.questions.flush();
        process.exit(1);
    },
});
function fail(error) {
    const message = error instanceof Error ? error.message : String(error);
    channel.stage({
        error: {
            code: 'daemon',
            message: `the start failed in the daemon: ${message}`,
            remedy: 'run the step again; if it fails again, report it with this line',
        },
    });
    setImmediate(() => process.exit(1));
}
async function daemon_askerOf(client) {
    const address = parseAddress(client.address);
    if (address === undefined)
        return undefined;
    const key = encodeOwnerKey(address, client.port, PROTOCOL_NUMBERS[client.proto]);
    return decodeOwnerReply(await channel.owner(key));
}
async function listen(hello, proxy, { streams }) {
    const handle = (message, client) => proxy.handle(message, client);
    const again = (message, isRunner) => proxy.again(message, isRunner);
    const admit = (client) => streams.admit(client);
    const onDrop = () => streams.refused++;
    await Promise.all(hello.sockets.map((socket) => {
        const adopt = socket.proto === 'tcp' ? adoptDnsTcp : adoptDnsUdp;
        return adopt({ ...socket, handle, again, admit, onDrop, onError: fail });
    }));
}
function readLog(hello, logger) {
    if (!hello.restarted)
        return NO_PAST;
    return readPast((onLine) => readLines(daemon_AUDIT_LOG, onLine), logger);
}
function buildProxy({ session }, parts) {
    const { policy } = session;
    const { logger, questions, timestamp } = parts;
    return createDnsProxy({
        policy,
        gate: gateSettings(session),
        times: session.times,
        mode: parts.mode,
        lastName: parts.lastName,
        servers: session.upstreams,
        upstream: new UpstreamClient(),
        grantSink: channel,
        clock: { nowMs: nowMs, after: after, soon: soon },
        own: parts.isOwn,
        asker: questions.asker,
        onBlocked: questions.blocked,
        onAnswered: questions.answered,
        onGranted: ({ addresses }) => served?.lateAllow.granted(addresses),
        onUpstreamDown: ({ servers, why }) => {
            const names = servers.map(({ address, port }) => `${address} port ${port}`);
            logger.logEvent(dnsUpstreamDown(timestamp(), names, why));
        },
    });
}
function buildQuestions(policy, logger, timestamp) {
    const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
    const clock = { nowMs: nowMs, soon: soon };
    return new Questions({ policy, logger, identities, timestamp, clock, lookUp: daemon_askerOf, seed });
}
function buildNotifications({ notifyUrl: url, mode, job }, proxy) {
    if (url === undefined)
        return undefined;
    const reach = (host, port) => proxy.reach(host, port);
    return new NotificationTracker(new WebhookClient({ url, mode, job, reach, post: postJson }), {
        after: after,
    });
}
function buildLateAllow({ policy, times }, proxy, logger) {
    return new LateAllow({
        policy,
        keepMs: times.lateAllowMs,
        logger,
        grants: proxy.grants,
        lookAgain: (name) => proxy.lookAgain(name),
        clock: { nowMs: nowMs, after: after },
    });
}
function buildTraffic(parts) {
    const { past, ...rest } = parts;
    const nameInLog = (address) => past.names.get(address);
    const knowledge = { ...parts.knowledge, nameInLog };
    return new TrafficWatch({ ...rest, knowledge, loader: channel, told: past.uploads });
}
function keepTime(parts) {
    every(HEARTBEAT_MS, () => {
        channel.heartbeat();
        parts.questions.flush();
    });
    every(SWEEP_MS, () => {
        parts.proxy.sweep();
        parts.pipeline.flush();
        parts.traffic.look().catch(fail);
    });
}
async function run(received) {
    const cloud = cloudOf(readCloudFacts(CLOUD_PROVIDER));
    const hello = inCloud(received, cloud);
    const { session } = hello;
    const logger = new AuditLogger(new AuditFile(hello.audit), session.mode === 'audit');
    const past = readLog(hello, logger);
    const clockOffsetNs = past.clockOffsetNs ?? hello.realtimeNs - hello.monotonicNs;
    const timestamp = () => formatTimestamp(nowNs() + clockOffsetNs);
    const ownKeys = new Set(hello.own.map(addressKey));
    const isOwn = (address) => ownKeys.has(addressKey(address));
    let mode = 'noting';
    const questions = buildQuestions(session.policy, logger, timestamp);
    const proxy = buildProxy(hello, {
        logger,
        questions,
        timestamp,
        isOwn,
        mode: () => mode,
        lastName: past.restarts * NAMES_A_LIFE,
    });
    const notifications = buildNotifications(session, proxy);
    const lateAllow = buildLateAllow(session, proxy, logger);
    const proof = new ProofEvents();
    const knowledge = knowledgeOf(session.policy, { proxy, identities }, clockOffsetNs, nowMs);
    const pipeline = new FlowPipeline({
        logger,
        knowledge,
        known: past.known,
        onEvent: (event) => proof.note(event),
        onRefused: (event, record) => {
            lateAllow.refused(event, record);
            notifyOf(record, notifications);
        },
        nowMs: nowMs,
    });
    const traffic = buildTraffic({ logger, knowledge, past, timestamp });
    const parts = { logger, pipeline, questions, proxy, lateAllow, traffic, timestamp };
    const own = { loader: channel, identities, mode: session.mode, pid: process.pid, nowMs: nowMs, after: after };
    const control = new ControlServer({ ...own, ...parts, notifications });
    served = { ...parts, control };
    keepTime(parts);
    const options = {
        session,
        own: hello.own,
        platform: platformCgroups(),
        isOwn,
        loader: channel,
        proxy,
        listen: () => listen(hello, proxy, questions),
        logger,
        proof,
        attempts: attempts.promise,
        pid: process.pid,
        clock: { nowMs: nowMs, wallNs: () => nowNs() + clockOffsetNs, after: after },
        onFlipped: () => {
            mode = session.mode;
        },
    };
    if (hello.restarted) {
        logger.logEvent(daemonRestarted(timestamp(), process.pid));
        await resumeSession(options);
    }
    else {
        logger.logEvent(sessionStarted(session, timestamp(), clockOffsetNs, cloud));
        await startSession(options);
    }
}

