/* SPDX-License-Identifier: Apache-2.0 */
/* forks ADDRESS PORT COUNT: processes named gone-PID that connect and exit at once; prints their ids. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};

	if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons((unsigned short)atoi(argv[2]));
	for (int i = 0; i < atoi(argv[3]); i++) {
		pid_t pid = fork();

		if (!pid) {
			int fd = socket(AF_INET, SOCK_STREAM, 0);
			char name[16];

			snprintf(name, sizeof(name), "gone-%d", getpid());
			prctl(PR_SET_NAME, name);
			_exit(connect(fd, (const void *)&to, sizeof(to)) == 0);
		}
		if (pid < 0)
			return 1;
		printf("%d\n", pid);
		while (waitpid(-1, NULL, i % 16 ? WNOHANG : 0) > 0)
			;
	}
	while (wait(NULL) > 0)
		;
	puts("done");
	return 0;
}
