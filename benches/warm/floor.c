/* The lower bound: reads the file and prints a part of it. */
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char bytes[4096];
    int file = argc > 1 ? open(argv[1], O_RDONLY) : -1;
    ssize_t length = read(file, bytes, sizeof bytes);
    return length < 1500 || write(1, bytes, 1500) != 1500;
}
