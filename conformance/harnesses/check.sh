#!/bin/sh
# Called by `make check`: every harness must conform (status 0), every broken twin must not (1).
wrong=0 checked=0 skipped=

expect() { # status, subject
    $MLP_REF verify "$2" >"$B/report.txt" 2>&1
    status=$?
    if [ $status -eq "$1" ]; then
        echo "ok       $2: status $status"
    else
        cat "$B/report.txt"
        echo "WRONG    $2: status $status, not $1"
        wrong=$((wrong + 1))
    fi
    checked=$((checked + 1))
}
present() { # language, compiler
    command -v "$2" >/dev/null 2>&1 && return
    echo "skipped  $1: no $2"
    skipped="$skipped $1"
    return 1
}

if present c "$CC"; then
    $MAKE -s B="$B" c || exit 2
    expect 0 "so:$B/mlp64.so"
    expect 0 "so:$B/mlp32.so"
    expect 1 "so:$B/broken.so"
    rm -rf "$B/questions"
    $MLP_REF questions "$B/questions" --only 'mlp/*' >"$B/report.txt" || exit 2
    "$B/mlp_lines" <"$B/questions/questions.txt" >"$B/questions/answers.txt" || exit 2
    expect 0 "files:$B/questions"
fi
if present c++ "$CXX"; then
    $MAKE -s B="$B" cpp || exit 2
    expect 0 "cmd:$B/mlp_cpp"
    expect 1 "cmd:$B/broken_cpp"
fi
if present rust "$RUSTC"; then
    $MAKE -s B="$B" rust || exit 2
    expect 0 "cmd:$B/mlp_rs"
    expect 1 "cmd:$B/broken_rs"
fi
if present javascript "$NODE"; then
    expect 0 "cmd:$NODE mlp.js"
    expect 1 "cmd:$NODE mlp.js --broken"
fi
set -- $skipped
echo "$checked subjects checked, $wrong wrong; $# of 4 languages skipped${skipped:+:$skipped}"
[ $wrong -eq 0 ] && [ $checked -gt 0 ]
