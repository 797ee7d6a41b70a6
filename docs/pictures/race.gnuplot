# Draws race.svg from race.csv; .ci/pictures runs it. Greys and hues that can be read on light and on dark pages.
set terminal svg size 1080,330 dynamic font "Helvetica,Arial,sans-serif,14"
set output "docs/pictures/race.svg"
grey = "#808890"
set datafile separator ","
set style data histograms
set style histogram rowstacked
set style fill solid noborder
set boxwidth 0.65
set border 3 linecolor rgb grey
set tics textcolor rgb grey nomirror
set key top left textcolor rgb grey reverse Left samplen 1
set xlabel "Codex processes at once" textcolor rgb grey
set yrange [0:17]

# processes, granted, refused: the means of all rounds of a case
means(case) = sprintf("< awk -F, '$1 == \"%s\" { n[$2]++; sent[$2] += $4; refused[$2] += $5 } \
    END { for (p in n) printf \"%%d,%%f,%%f\\n\", p, (sent[p] - refused[p]) / n[p], refused[p] / n[p] }' \
    docs/pictures/race.csv | sort -n", case)

set multiplot layout 1,4
do for [panel in "alone shared_profile apart shared"] {
    set title (panel eq "alone" ? "Codex alone,\ntoken expired" : \
               panel eq "shared_profile" ? "codex -p codex-credential,\ntoken expired" : \
               panel eq "apart" ? "login stored apart from\nCodex\'s, token expired" : \
               "login shared with Codex,\ntoken about to expire") textcolor rgb grey
    if (panel eq "alone") { set ylabel "refresh requests" textcolor rgb grey } else { unset ylabel }
    if (panel eq "shared_profile") { set key } else { unset key }
    plot means(panel) using 2:xtic(1) title "granted" linecolor rgb "#3a9d5d", \
         "" using 3 title "refused" linecolor rgb "#e0594a"
}
unset multiplot
